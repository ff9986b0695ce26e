"""What a base is, read from its configuration: no weights, no torch."""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.bases.package import PACKAGE_BASES, snapshot_of
from harness.bases.shapes import has_biases, linear_shapes
from harness.core.errors import SourceError, nearest
from harness.core.spec import Quantization
from harness.fetching.hub import hub_problem
from harness.method import BaseInfo, BaseKind

SNAPSHOT_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is read of a base: configuration, weights, tokenizer, chat template."""
_DISCRIMINATORS = ("ElectraForPreTraining", "FunnelForPreTraining")
"""Pretrained to tell replaced tokens from true ones: they fill in no mask."""


_N_BLOCKS = (
    "num_hidden_groups",
    "num_decoder_layers",
    "decoder_layers",
    "num_hidden_layers",
    "n_layer",
    "num_layers",
    "n_layers",
)
"""Names of the number of blocks in the stack that is nearest to the output, those first that others stand beside."""


def base_names() -> list[str]:
    """The registered bases; any local folder or hub id works too."""
    return list(PACKAGE_BASES)


def registered(name: str) -> str:
    """The registered spelling of a name ('_' is '-'), or the name itself."""
    return {base.replace("-", "_"): base for base in PACKAGE_BASES}.get(name.replace("-", "_"), name)


def snapshot(name: str) -> Path:
    """The folder with a base's configuration, tokenizer and safetensors.

    A local folder, then ``HARNESS_MODEL_DIR/<hub id>``, then the hub. A registered name always means its pinned package
    asset, so that it is the same weights everywhere.

    Raises:
        SourceError: nothing there; the message says what was tried.
    """
    if registered(name) in PACKAGE_BASES:
        return snapshot_of(registered(name))
    return _local_folder(name) or _from_hub(name, None)


@cache
def base_info(name: str, quantization: Quantization) -> BaseInfo:
    """What methods may know of a base.

    Raises:
        SourceError: its configuration can't be found or read.
    """
    name = registered(name)
    config = base_config(name)
    package = PACKAGE_BASES.get(name)
    is_sentence = package.is_sentence_embedding if package else (config_folder(name) / "modules.json").exists()
    try:
        return described(config, quantization, is_sentence)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SourceError(f"base {name!r}: config.json is wrong: {type(error).__name__}: {error}") from None


def base_config(name: str) -> dict[str, Any]:
    """A base's config.json; of a registered base, the values that planning needs.

    Raises:
        SourceError: it can't be found or read.
    """
    package = PACKAGE_BASES.get(registered(name))
    return package.config if package else _read_config(config_folder(name))


def described(config: Mapping[str, Any], quantization: Quantization, is_sentence_embedding: bool) -> BaseInfo:
    """What a configuration tells of a base."""
    architecture = str((config.get("architectures") or [""])[0])
    return BaseInfo(
        kind=_kind(config, architecture),
        quantization=quantization,
        architecture=str(config.get("model_type", "")),
        n_blocks=_first(config, *_N_BLOCKS),
        hidden_size=_first(config, "hidden_size", "d_model", "n_embd", "dim"),
        has_mask_head=architecture.endswith(("ForMaskedLM", "ForPreTraining")) and architecture not in _DISCRIMINATORS,
        is_sentence_embedding=is_sentence_embedding,
        linears=linear_shapes(config),
        class_name=architecture,
        has_biases=has_biases(config),
    )


def config_folder(name: str) -> Path:
    """The folder with a base's configuration; of a hub snapshot the weights may not be there yet.

    Raises:
        SourceError: nothing there; the message says what was tried.
    """
    return _local_folder(name) or _from_hub(name, "config.json").parent


def is_local(name: str) -> bool:
    """Whether it is a folder here or in HARNESS_MODEL_DIR."""
    return _local_folder(name) is not None


def _local_folder(name: str) -> Path | None:
    """The folder of that name here or in HARNESS_MODEL_DIR.

    Raises:
        SourceError: there is one, and it is no base.
    """
    for folder in (Path(name), Path(os.environ.get("HARNESS_MODEL_DIR", "/nonexistent")) / name):
        try:
            if (folder / "config.json").is_file():
                return folder
            found = folder.is_dir()
        except (OSError, ValueError):  # no name of a file: too long, or with a NUL
            continue
        if found:
            raise SourceError(f"base {name!r}: the folder {folder} has no config.json, so it is no base")
    return None


def _from_hub(name: str, file: str | None) -> Path:
    """A hub snapshot (weights as safetensors only), or the path of one of its files; the hub's cache if offline."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    problem = hub_problem()
    try:
        if file:
            return Path(hf_hub_download(name, file, local_files_only=problem is not None))
        return Path(snapshot_download(name, allow_patterns=list(SNAPSHOT_FILES), local_files_only=problem is not None))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = problem or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"unknown base {name!r}{nearest(name, base_names())}; tried local folder {name!r}, HARNESS_MODEL_DIR, "
            f"the hub ({reason}); bases that need no hub: {', '.join(base_names())}"
        ) from None


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"base {folder}: config.json is unreadable: {error}") from None
    if not isinstance(config, dict):
        raise SourceError(f"base {folder}: config.json must hold an object of settings; it holds {config!r:.60}")
    return config


def _kind(config: Mapping[str, Any], architecture: str) -> BaseKind:
    if config.get("is_encoder_decoder"):
        return "encoder_decoder"
    return "decoder" if architecture.endswith(("ForCausalLM", "LMHeadModel")) else "encoder"


def _first(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name) is not None), 0)
