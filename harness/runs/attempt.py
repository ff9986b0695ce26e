"""A method tried on a small random model of a base's architecture: does it start as it says, and train what it says?"""

import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from accelerate import PartialState
from torch import Tensor, nn
from transformers import AutoConfig

from harness.bases.heads import find_heads
from harness.bases.info import described
from harness.bases.load import bitsandbytes_config, keep_packing, quantized_names
from harness.bases.quiet import quiet
from harness.core.errors import Unsupported
from harness.core.spec import Quantization
from harness.method import BaseInfo, BaseKind, Context, Method, TaskInfo
from harness.runs.capability import Capability, keep, known
from harness.storage.checkpoint import trainable
from harness.storage.files import one_line
from harness.training.reach import Reach, Unreached

N_BLOCKS = 3
LARGEST_WIDTH = 1024
"""Wider bases are tried at a half, a quarter, … of their widths."""
VOCABULARY = 128
STEPS = 2
AUTO_CLASSES: dict[BaseKind, str] = {
    "encoder": "AutoModelForSequenceClassification",
    "decoder": "AutoModelForCausalLM",
    "encoder_decoder": "AutoModelForSeq2SeqLM",
}
_DEPTHS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    *("num_decoder_layers", "encoder_layers", "decoder_layers"),
)
_WIDTHS = (
    *("hidden_size", "n_embd", "dim", "d_model", "intermediate_size", "d_ff", "hidden_dim"),
    *("num_attention_heads", "num_key_value_heads", "n_head", "n_heads", "num_heads"),
)


def capability(method: Method, config: Mapping[str, Any], quantization: Quantization) -> Capability:
    """What is known of it, or else is seen now, and kept.

    Args:
        method: With its settings.
        config: The content of the base's config.json.
        quantization: The precision of the base.
    """
    found = known(method, config, quantization)
    if found is None:
        found = _tried(method, small_config(config), quantization)
        keep(method, config, quantization, found)
    return found


def small_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same architecture with three blocks, a short vocabulary, and widths of at most LARGEST_WIDTH."""
    width = max((int(config[name]) for name in _WIDTHS[:4] if config.get(name)), default=0)
    factor = 1
    while width // factor > LARGEST_WIDTH:
        factor *= 2
    small = dict(config) | {name: N_BLOCKS for name in _DEPTHS if config.get(name)}
    small |= {name: max(1, int(config[name]) // factor) for name in _WIDTHS if config.get(name)}
    if isinstance(config.get("layer_types"), list):
        small["layer_types"] = config["layer_types"][:N_BLOCKS]
    ids = {name: 0 for name in config if name.endswith("_token_id") and config[name] is not None}
    return small | ids | {"vocab_size": VOCABULARY, "pad_token_id": 0}


def _tried(method: Method, config: Mapping[str, Any], quantization: Quantization) -> Capability:
    info = described(config, quantization, is_sentence_embedding=False)
    task = _task(method, info.kind)
    if reason := method.skip(info, task):
        return Capability("skipped", reason)
    try:
        with quiet(), warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            _train(method, config, info, task)
    except Unsupported as error:
        return Capability("skipped", one_line(error))
    except Unreached as error:
        return Capability("failed", one_line(error))
    except Exception as error:  # whatever a library raises, the answer is that it does not work
        return Capability("failed", f"{type(error).__name__}: {one_line(error)}")
    return Capability("works")


def _task(method: Method, kind: BaseKind) -> TaskInfo:
    has_head = kind == "encoder" and method.trains
    return TaskInfo("classification", "head" if has_head else "likelihood", 2, has_head, is_trained=method.trains)


def _train(method: Method, config: Mapping[str, Any], info: BaseInfo, task: TaskInfo) -> None:
    """Apply the method and make two steps.

    Raises:
        Unreached: the first output is not the base's, or a gradient reached none of what it trains.
        Unsupported: the method can't change this architecture.
    """
    base = _model(config, info, method)
    heads = find_heads(base, "", ()) if task.has_head else ()
    inputs = _inputs(info.kind, next(base.parameters()).device)
    with torch.no_grad():
        expected = base(**inputs).logits
    own = {id(parameter) for parameter in base.parameters()}
    model = method.apply(base, Context(info, task, heads, STEPS, seed=0))
    if method.starts_as_base:
        _check_start(model.eval(), inputs, expected)
    if not method.trains:
        return
    added = frozenset(name for name, parameter in trainable(model).items() if id(parameter) not in own)
    reach, optimizer = Reach(model, heads, added), method.optimizer(method.groups(model, method.learning_rate), _adamw)
    for step in range(1, STEPS + 1):
        logits = model.train()(**inputs).logits
        loss = logits.logsumexp(-1).mean() - logits[..., 0].mean()
        extra = method.extra_loss(model, None)
        (loss if extra is None else loss + extra).backward()
        optimizer.step()
        method.after_step(model, step)
        optimizer.zero_grad()
    reach.check()


def _check_start(model: nn.Module, inputs: dict[str, Tensor], expected: Tensor) -> None:
    with torch.no_grad():
        first = model(**inputs).logits
    if (difference := float((first - expected).abs().max())) > 0.01 * float(expected.abs().max()):
        raise Unreached(f"its first output differs from the base's by {difference:.3g}")


def _adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=1e-3)


def _model(config: Mapping[str, Any], info: BaseInfo, method: Method) -> Any:
    """A random model of the architecture, quantized if the base is to be."""
    settings = {name: value for name, value in config.items() if name not in ("model_type", "architectures")}
    auto_class = getattr(transformers, AUTO_CLASSES[info.kind])
    model = auto_class.from_config(AutoConfig.for_model(config["model_type"], **settings), trust_remote_code=False)
    device = PartialState().device
    if info.quantization == "none":
        return model.eval().to(device)
    unquantized = tuple(method.unquantized_blocks(N_BLOCKS))
    quantized = bitsandbytes_config(info.quantization, model, quantized_names(model, unquantized))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        model = auto_class.from_pretrained(
            folder, quantization_config=quantized, dtype=torch.float32, device_map={"": device}, use_safetensors=True
        )
    keep_packing(model)
    return model.eval()


def _inputs(kind: BaseKind, device: torch.device) -> dict[str, Tensor]:
    ids = torch.randint(2, VOCABULARY, (2, 12), device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return inputs | ({"decoder_input_ids": ids[:, :5]} if kind == "encoder_decoder" else {})
