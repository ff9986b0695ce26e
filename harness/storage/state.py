"""A tree of tensors and plain values in one safetensors file: nothing in it can be executed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import SourceError
from harness.storage.files import one_line, sync

if TYPE_CHECKING:
    from torch import Tensor

TREE = "tree"


def save_state(path: Path, tree: object, about: Mapping[str, str]) -> None:
    """Write a tree of dicts, lists, tuples, tensors, texts, numbers and None; the file is whole or as it was.

    Args:
        path: Its folder is made.
        tree: Keys of its dicts are texts or integers.
        about: What the file says of itself.

    Raises:
        OSError: it can't be written.
        TypeError: something in it can't be stored.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    text = json.dumps(_packed(tree, tensors))
    temporary = path.with_suffix(".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        save_file(tensors, temporary, metadata={**about, TREE: text})
        sync(temporary)
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(str(error)) from None
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def about_state(path: Path) -> dict[str, str]:
    """What a file says of itself, its tensors left unread.

    Raises:
        SourceError: it is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: value for name, value in (file.metadata() or {}).items() if name != TREE}
    except (OSError, SafetensorError) as error:
        raise SourceError(f"cannot read {path}: {one_line(error)}") from None


def load_state(path: Path) -> Any:
    """The tree that ``save_state`` wrote, tensors on the CPU.

    Raises:
        SourceError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return _unpacked(json.loads((file.metadata() or {})[TREE]), file)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {one_line(error)}") from None


def _packed(node: object, tensors: "dict[str, Tensor]") -> object:
    """JSON of a node, its tensors by number."""
    import torch

    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = node.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(node, Mapping):
        return {"dict": [[key, _packed(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return {"list" if isinstance(node, list) else "tuple": [_packed(each, tensors) for each in node]}
    raise TypeError(f"a {type(node).__name__} can't be stored in a checkpoint")


def _unpacked(node: Any, file: Any) -> Any:
    if not isinstance(node, dict):
        return node
    ((kind, value),) = node.items()
    if kind == "tensor":
        return file.get_tensor(value)
    if kind == "dict":
        return {key: _unpacked(each, file) for key, each in value}
    return (list if kind == "list" else tuple)(_unpacked(each, file) for each in value)
