"""Folders that other people made: what can't be read is said, and no code of theirs runs."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.bases.info import base_info
from harness.bases.load import Wanted, load
from harness.core.errors import SourceError
from harness.core.spec import BaseSpec

Edit = Callable[..., Path]
WITH_HEAD = Wanted("AutoModelForSequenceClassification", 2)


@pytest.fixture
def edited(snapshots: dict[str, Path], tmp_path: Path) -> Edit:
    """A copy of the tiny encoder with some values of its config.json replaced."""

    def edit(**values: Any) -> Path:
        folder = tmp_path / "base"
        shutil.copytree(snapshots["encoder"], folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))
        return folder

    return edit


CLASSES = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification")


@pytest.mark.parametrize("model_type", ["of-my-own", "bert"])
@pytest.mark.parametrize("asks", ["config.json", "tokenizer_config.json"])
def test_code_in_a_folder_never_runs(
    model_type: str, asks: str, edited: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where somebody answers yes; a class that transformers has is used in place of the folder's."""
    folder, ran = edited(model_type=model_type), tmp_path / "ran"
    (folder / "code.py").write_text(f"open({str(ran)!r}, 'w')\nclass Mine: ...\n")
    config = json.loads((folder / asks).read_text())
    wanted = dict.fromkeys(CLASSES, "code.Mine") if asks == "config.json" else {"AutoTokenizer": ["code.Mine", None]}
    (folder / asks).write_text(json.dumps(config | {"auto_map": wanted}))
    door = io.StringIO("y\n" * 20)
    monkeypatch.setattr(sys, "stdin", door)
    if model_type == "bert":
        assert load(BaseSpec(name=str(folder)), WITH_HEAD).head_names
    else:
        reason = "code of its own" if asks == "config.json" else "of-my-own"
        with pytest.raises(SourceError, match=reason):
            load(BaseSpec(name=str(folder)), WITH_HEAD)
    assert not ran.exists()
    assert door.tell() == 0, "nobody was asked"


def test_a_kernel_from_the_hub_is_code_too(edited: Edit) -> None:
    with pytest.raises(SourceError, match="code from the hub: somebody/kernel"):
        load(
            BaseSpec(name=str(edited(attn_implementation="somebody/kernel"))),
            WITH_HEAD,
        )


@pytest.mark.parametrize("text", ["[1]", "null", '"bert"', "{", "[" * 100_000])
def test_a_configuration_that_is_no_object(text: str, edited: Edit) -> None:
    folder = edited()
    (folder / "config.json").write_text(text)
    with pytest.raises(SourceError, match=r"config\.json"):
        base_info(str(folder), "none")


@pytest.mark.parametrize(
    "values", [{"num_hidden_layers": "four"}, {"hidden_size": [32]}, {"architectures": 3}, {"intermediate_size": {}}]
)
def test_a_configuration_with_wrong_values(values: dict[str, Any], edited: Edit) -> None:
    folder = edited(**values)
    with pytest.raises(SourceError, match=r"base .*"):
        load(BaseSpec(name=str(folder)), WITH_HEAD)


def test_a_folder_without_a_configuration(edited: Edit) -> None:
    folder = edited()
    (folder / "config.json").unlink()
    with pytest.raises(SourceError, match=r"has no config\.json"):
        base_info(str(folder), "none")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(SourceError, match="unknown base"):
        base_info(name, "none")


def test_a_folder_without_a_tokenizer(edited: Edit) -> None:
    folder = edited()
    for file in folder.glob("token*"):
        file.unlink()
    with pytest.raises(SourceError, match="its tokenizer knows no words"):
        load(BaseSpec(name=str(folder)), WITH_HEAD)


def test_pickled_weights_are_not_opened(edited: Edit) -> None:
    folder = edited()
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(SourceError, match=r"model\.safetensors"):
        load(BaseSpec(name=str(folder)), WITH_HEAD)
