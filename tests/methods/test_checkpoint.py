"""Files that cannot be used are answered with what is wrong."""

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.core.errors import SourceError
from harness.methods.last_layers import LastLayers
from harness.methods.lora import LoRA
from harness.storage.checkpoint import FILE, load_trainable, save_trainable
from harness.testing import tiny


def test_only_what_is_trained_is_written_and_read(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    save_trainable(model, tmp_path)

    other = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    other[0].requires_grad_(False)
    frozen = other[0].weight.clone()
    load_trainable(other, tmp_path)
    assert torch.equal(other[1].weight, model[1].weight)
    assert torch.equal(other[0].weight, frozen)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Linear(3, 5), r"weight has shape \(2, 3\), not \(5, 3\)"),
        (nn.Linear(3, 2, bias=False), "bias is not trained here"),
        (nn.Sequential(nn.Linear(3, 2)), "0.weight is missing"),
    ],
)
def test_another_models_file_is_refused(other: nn.Module, message: str, tmp_path: Path) -> None:
    save_trainable(nn.Linear(3, 2), tmp_path)
    with pytest.raises(SourceError, match=message):
        load_trainable(other, tmp_path)


@pytest.mark.parametrize("method", [LastLayers(n_layers=1), LoRA(rank=2)], ids=["own format", "peft's format"])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_damaged_files_are_named(method: LastLayers | LoRA, damage: str, tmp_path: Path) -> None:
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    method.save(model, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        path.unlink()
    with pytest.raises(SourceError, match=f"cannot read .*{path.name}"):
        method.load(model, tmp_path)


def test_the_file_is_safetensors(tmp_path: Path) -> None:
    save_trainable(nn.Linear(3, 2), tmp_path)
    header_size = int.from_bytes((tmp_path / FILE).read_bytes()[:8], "little")
    assert b'"weight"' in (tmp_path / FILE).read_bytes()[8 : 8 + header_size]
