"""Load a base as the model that is wanted of it, quantized or not."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import PartialState
from torch import nn
from transformers import (
    AutoConfig,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
)

from harness.bases.anatomy import blocks, is_linear, linear_names
from harness.bases.features import Features
from harness.bases.heads import find_heads, lost_parameters
from harness.bases.info import base_info, snapshot
from harness.bases.internals import attention_of, whole_modules
from harness.bases.quiet import quiet
from harness.bases.tokens import load_tokenizer
from harness.bases.weights import weights_of
from harness.core.errors import HarnessError, SourceError, Unsupported
from harness.core.spec import BaseSpec, Quantization
from harness.method import BaseInfo

_DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob"),
    *("dropout", "attention_dropout", "activation_dropout", "seq_classif_dropout", "hidden_dropout", "dropout_rate"),
    *("resid_pdrop", "embd_pdrop", "attn_pdrop", "embedding_dropout", "mlp_dropout", "pooler_dropout"),
)
"""What configurations call the probabilities with which units are dropped. Of whole layers dropped none is here."""


@dataclass(frozen=True)
class Wanted:
    """The model that a base is loaded as.

    Args:
        auto_class: The name of transformers' auto class.
        n_outputs: Outputs of a head made for the task; None where there is no such head.
        dropout: Probability of every dropout; None: as the base's configuration has them.
    """

    auto_class: str
    n_outputs: int | None = None
    dropout: float | None = None


@dataclass
class Base:
    """A loaded base; ``head_names`` are the modules made for the task, as ``heads.find_heads`` finds them."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    info: BaseInfo
    head_names: tuple[str, ...]
    features: Features = field(default_factory=Features)


def load(
    spec: BaseSpec,
    wanted: Wanted,
    unquantized_blocks: Callable[[int], range] = lambda n: range(0),
) -> Base:
    """The base as the model that is wanted, in evaluation mode, on the CPU or its GPU.

    Only linear layers inside transformer blocks are quantized: heads, embeddings and poolers never are, nor the
    blocks whose indices ``unquantized_blocks(n_blocks)`` gives.

    Raises:
        SourceError: the snapshot can't be found, is truncated, has no safetensors, or lacks weights of the base.
        Unsupported: nothing is left to quantize, no token can pad, or no dropout is there to be set.
        HarnessError: bitsandbytes quantized other layers than asked.
    """
    info, folder = base_info(spec.name, spec.quantization), snapshot(spec.name)
    kept: tuple[int, ...] = ()
    if spec.quantization != "none":
        with _reading(folder):
            skeleton = _skeleton(_auto_class(wanted), _config(folder, wanted))
            kept = tuple(unquantized_blocks(len(blocks(skeleton)[1])))
    asked = (folder, spec.quantization, wanted, kept)
    key = (*asked, weights_of(spec.name).fingerprint)
    if key not in _KEPT:
        _KEPT.clear()
        base = _read(info, *asked)
        if not _keeps_bases:
            return base
        _KEPT[key] = base
    return deepcopy(_KEPT[key])


_KEPT: dict[Any, Base] = {}
_keeps_bases = False


def keep_bases() -> None:
    """From now on keep the last base loaded and hand out copies: for a process that makes many runs."""
    global _keeps_bases
    _keeps_bases = True


def _read(
    info: BaseInfo,
    folder: Path,
    quantization: Quantization,
    wanted: Wanted,
    unquantized: tuple[int, ...],
) -> Base:
    auto_class, has_head = _auto_class(wanted), wanted.n_outputs is not None
    device = PartialState().device
    with _reading(folder), torch.random.fork_rng():
        torch.manual_seed(0)  # what the checkpoint lacks is the same in every process
        config = _config(folder, wanted)
        options: dict[str, Any] = {}
        if quantization != "none":
            skeleton = _skeleton(auto_class, config)
            quantized = quantized_names(skeleton, unquantized)
            options["quantization_config"] = bitsandbytes_config(quantization, skeleton, quantized)
            options["device_map"] = {"": device}  # bitsandbytes quantizes as it loads
        model, loading = auto_class.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=has_head,  # a checkpoint's own head for other labels
            output_loading_info=True,
            trust_remote_code=False,  # else a base with code of its own asks on standard input whether to run it
            **options,
        )
        tokenizer = load_tokenizer(folder)
    if quantization != "none":
        _check_quantized(model, quantized)
        keep_packing(model)
        # At every call of every layer it would say that inputs are cast to fp16.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    else:
        model.to(device)
    model.config.pad_token_id = tokenizer.pad_token_id
    new = [*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])]
    if lost := lost_parameters(model, new, has_head=has_head):
        listed = f"{', '.join(lost[:3])} ({len(lost)} in all)"
        raise SourceError(f"base {str(folder)!r}: its weights lack what {wanted.auto_class} needs: {listed}")
    heads = find_heads(model, info.class_name, new) if has_head else ()
    return Base(model.eval(), tokenizer, info, heads)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn whatever the libraries make of a file that somebody else wrote into a SourceError."""
    try:
        with quiet():
            yield
    except (HarnessError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        if "trust_remote_code" in reason:
            reason = "it needs code of its own, and nothing that was downloaded is executed here"
        raise SourceError(f"base {str(folder)!r}: can't read it: {reason}") from None


def _config(folder: Path, wanted: Wanted) -> Any:
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if "/" in attention_of(config):
        raise SourceError(f"base {str(folder)!r}: it asks for code from the hub: {attention_of(config)}")
    if getattr(config, "quantization_config", None):
        raise SourceError(f"base {str(folder)!r}: its weights are quantized already; take a checkpoint that is not")
    if wanted.n_outputs is not None:
        config.num_labels = wanted.n_outputs
    if wanted.dropout is not None:
        _set_dropout(config, wanted.dropout)
    return config


def _set_dropout(config: Any, probability: float) -> None:
    there = [name for name in _DROPOUTS if hasattr(config, name)]
    if not there:
        raise Unsupported(f"base.dropout: a {config.model_type} drops nothing; leave it out")
    for name in there:
        setattr(config, name, probability)


def _auto_class(wanted: Wanted) -> Any:
    return getattr(transformers, wanted.auto_class)


def _skeleton(auto_class: Any, config: Any) -> Any:
    """The model without weights, to learn its module names before anything is quantized."""
    with torch.device("meta"):
        return auto_class.from_config(config, trust_remote_code=False)


def quantized_names(skeleton: Any, unquantized: tuple[int, ...]) -> set[str]:
    """The linear layers to quantize: not those of the unquantized blocks, nor those that overflow, such as T5's wo."""
    prefix, _ = blocks(skeleton)
    kept = tuple(f"{prefix}.{index}." for index in unquantized)
    whole = whole_modules(skeleton)
    quantized = {
        name for name in linear_names(skeleton) if not name.startswith(kept) and whole.isdisjoint(name.split("."))
    }
    if not quantized:
        raise Unsupported("every linear layer of the blocks is trained in full precision: nothing is left to quantize")
    return quantized


def bitsandbytes_config(quantization: Quantization, skeleton: nn.Module, quantized: set[str]) -> BitsAndBytesConfig:
    """The configuration that quantizes exactly these modules.

    bitsandbytes matches ``llm_int8_skip_modules`` from the start of the full name, and a miss is silent: so every other
    linear layer is listed in full and the result is checked after loading.
    """
    linear = [name for name, module in skeleton.named_modules() if is_linear(module)]
    skip = [name for name in linear if name not in quantized]
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skip)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=skip,
    )


def keep_packing(model: nn.Module) -> None:
    """Keep 4-bit weights packed as they were loaded.

    On a processor with bf16 instructions bitsandbytes packs them anew at the first evaluation, and from then on no
    gradient passes through the layer, also in training.
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _check_quantized(model: nn.Module, expected: set[str]) -> None:
    import bitsandbytes

    kinds = (bitsandbytes.nn.Linear8bitLt, bitsandbytes.nn.Linear4bit)
    got = {name for name, module in model.named_modules() if isinstance(module, kinds)}
    if got != expected:
        wrong = sorted(got ^ expected)
        raise HarnessError(
            f"bitsandbytes quantized other layers than asked: {', '.join(wrong[:5])} ({len(wrong)} in all)"
        )
