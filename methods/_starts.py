"""Starts of a low-rank update: from what its layers read (EVA), or from what 4 bits rounded away (LoftQ)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from harness.core.errors import Unsupported
from harness.libraries.peft import ADAPTER

PREFIX = "base_model.model."
"""Before the names of the base's modules in peft's model."""


def updated_layers(model: nn.Module) -> dict[str, Any]:
    """peft's LoRA layers by the names that they replace in the base."""
    return {
        name.removeprefix(PREFIX): module
        for name, module in model.named_modules()
        if ADAPTER in getattr(module, "lora_A", {})
    }


@torch.no_grad()
def eva(model: nn.Module, batches: Iterable[Any], device: torch.device) -> None:
    """Put into each A the right singular vectors of what its layer reads, largest first; B stays 0.

    The inputs X (N, in) of all tokens but padding; their singular vectors are the eigenvectors of X^T X, which is
    summed in float64. Paischer et al. 2024, section 3.2, https://arxiv.org/abs/2410.07170, with equal ranks (rho = 1).

    Raises:
        Unsupported: a rank is more than the dimensions in which the inputs of its layer vary.
    """
    layers = updated_layers(model)
    squares = {name: torch.zeros(layer.in_features, layer.in_features).double() for name, layer in layers.items()}
    was_training = model.training
    model.eval()
    for batch in batches:
        with _watched(layers, partial(_add_gram, squares, batch.inputs["attention_mask"].to(device))):
            model(**batch.inputs)
    model.train(was_training)
    for name, layer in layers.items():
        a = layer.lora_A[ADAPTER].weight
        values, vectors = torch.linalg.eigh(squares[name])  # ascending
        if values[-len(a)] <= 1e-10 * values[-1]:
            raise Unsupported(f"init eva finds fewer than {len(a)} directions in what {name} reads: lower rank")
        a.copy_(vectors.flip(1)[:, : len(a)].t())


def _add_gram(squares: dict[str, Tensor], mask: Tensor, name: str, x: Tensor) -> None:
    """X^T X of the rows that are no padding; where a layer reads fewer places than the input has, of all."""
    rows = (x[mask.bool()] if x.shape[:-1] == mask.shape else x.flatten(0, -2)).double().cpu()
    squares[name] += rows.t() @ rows


@contextmanager
def _watched(layers: dict[str, Any], see: Callable[[str, Tensor], object]) -> Iterator[None]:
    """Show what each layer reads."""
    handles = [
        layer.register_forward_pre_hook(lambda _, given, name=name: see(name, given[0]) and None)
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def loftq(model: nn.Module, folder: Path) -> None:
    """Put into scaling · B A the best approximation of W - Q of their rank, W being the weight before 4 bits made it Q.

    One iteration, since Q stays what it is. Li et al. 2023, section 3, https://arxiv.org/abs/2310.08659.

    Raises:
        Unsupported: the base's files have no weight under the layer's name.
    """
    import bitsandbytes.functional as bnb

    for name, layer in updated_layers(model).items():
        packed = layer.get_base_layer().weight
        if (state := getattr(packed, "quant_state", None)) is None:
            continue
        a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        rounded = bnb.dequantize_4bit(packed.data, state).float()
        lost = _stored_weight(folder, name).to(rounded) - rounded
        left, values, right = torch.linalg.svd(lost, full_matrices=False)
        root = values[: len(a)].sqrt()
        a.copy_(root[:, None] * right[: len(a)])
        b.copy_(left[:, : len(a)] * root / layer.scaling[ADAPTER])


def _stored_weight(folder: Path, module: str) -> Tensor:
    """A weight as the base's files have it; a model for a task may have its base below one more name."""
    wanted = [f"{module}.weight", f"{module.partition('.')[2]}.weight"]
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            names = set(tensors.keys())
            if found := next((name for name in wanted if name in names), None):
                return tensors.get_tensor(found)
    raise Unsupported(f"init loftq finds no weight of {module} in the base's files")
