"""What was trained, and only that, as one safetensors file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import SourceError

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE = "trained.safetensors"


def trainable(model: "nn.Module") -> dict[str, "nn.Parameter"]:
    """The parameters that require grad, by dotted name; tied ones once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_trainable(model: "nn.Module", folder: Path) -> None:
    """Write the trainable parameters to ``folder / FILE``."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().contiguous() for name, value in trainable(model).items()}, folder / FILE)


def load_trainable(model: "nn.Module", folder: Path) -> None:
    """Copy what ``save_trainable`` wrote into the model's trainable parameters, in place.

    Raises:
        SourceError: if the file is missing or damaged, or was written for other parameters.
    """
    import torch

    parameters, tensors = trainable(model), read_tensors(folder / FILE)
    check_fits(folder / FILE, parameters, tensors)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])


def hash_tensors(tensors: "Mapping[str, Tensor]") -> str:
    """SHA-256 over names and values, in the order of the names: 64 hex digits."""
    import torch

    total = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8)
        total.update(f"{name}\0".encode())
        total.update(values.numpy().data)
    return total.hexdigest()


def hash_folder(folder: Path) -> str:
    """SHA-256 over the names and the contents of what ``Method.save`` wrote: its tensors and their settings."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json")):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """Every tensor of a safetensors file, on the CPU.

    Raises:
        SourceError: if the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise SourceError(f"cannot read {path}: {error}") from None


def check_fits(path: Path, expected: "Mapping[str, Tensor]", tensors: "Mapping[str, Tensor]") -> None:
    """Compare the names and shapes that a model expects with those of a file.

    Raises:
        SourceError: naming up to five differences.
    """
    problems = [f"{name} is missing" for name in expected.keys() - tensors.keys()]
    problems += [f"{name} is not trained here" for name in tensors.keys() - expected.keys()]
    problems += [
        f"{name} has shape {tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
        for name in expected.keys() & tensors.keys()
        if tensors[name].shape != expected[name].shape
    ]
    if problems:
        raise SourceError(f"{path} does not fit this model: {'; '.join(sorted(problems)[:5])}")
