"""Where things are inside a transformer: its blocks, their linear layers, and the two sub-layers of a block."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.errors import SpecError, Unsupported
from harness.core.info import Role

if TYPE_CHECKING:
    from torch import nn


def stacks(model: "nn.Module") -> list[tuple[str, "nn.ModuleList"]]:
    """Every stack of transformer blocks, as (dotted name, blocks): one, or encoder and decoder, in this order.

    A stack is an outermost list of modules of one class that hold linear layers. Works on quantized models, on models
    without weights (meta device) and below peft's wrappers.

    Raises:
        SpecError: if the model has none.
    """
    from torch import nn

    from harness.bases.beside import beside

    found: list[tuple[str, nn.ModuleList]] = []
    apart = beside(model)
    for name, module in model.named_modules():
        inside = name.startswith((*apart, *(f"{outer}." for outer, _ in found)))
        if isinstance(module, nn.ModuleList) and not inside and _is_stack(module):
            found.append((name, module))
    if not found:
        raise SpecError(f"{type(model).__name__} has no list of transformer blocks")
    return found


def blocks(model: "nn.Module") -> tuple[str, "nn.ModuleList"]:
    """The stack that is nearest to the output: the only one, or the decoder's."""
    return stacks(model)[-1]


def linear_names(model: "nn.Module") -> list[str]:
    """Full dotted names of the linear layers inside the blocks of every stack, quantized or not.

    Embeddings, poolers and heads lie outside the blocks. Call it before a method wraps the model: the small matrices
    that peft adds are linear layers too.
    """
    return [
        f"{stack}.{name}"
        for stack, stack_blocks in stacks(model)
        for name, module in stack_blocks.named_modules()
        if is_linear(module)
    ]


_ROLES: dict[Role, tuple[str, ...]] = {
    "query": ("query", "q_proj", "q_lin", "query_proj", "q"),
    "key": ("key", "k_proj", "k_lin", "key_proj", "k"),
    "value": ("value", "v_proj", "v_lin", "value_proj", "v"),
    "output": (
        "attention.output.dense",
        "o_proj",
        "out_lin",
        "out_proj",
        "attention.dense",
        "attn.o",
        "SelfAttention.o",
        "EncDecAttention.o",
    ),
    "gate": ("gate_proj", "wi_0"),
    "up": ("intermediate.dense", "up_proj", "lin1", "fc1", "wi_1", "wi", "c_fc", "ffn"),
    "down": ("output.dense", "down_proj", "lin2", "fc2", "DenseReluDense.wo", "mlp.c_proj", "mlp.Wo", "ffn_output"),
}
"""How the names of layers with a role end; attention's output comes before that of the feed-forward."""


def role_of(name: str) -> Role | None:
    """What a linear layer of a block does, by its name; None for an unknown one, or one that does several things."""
    return next((role for role, endings in _ROLES.items() if has_ending(name, *endings)), None)


def has_ending(name: str, *endings: str) -> bool:
    """Whether a dotted name is one of these, or ends with a dot and one of them."""
    return f".{name}".endswith(tuple(f".{ending}" for ending in endings))


def is_linear(module: "nn.Module") -> bool:
    """Whether it is a linear layer: bitsandbytes' classes derive from nn.Linear, GPT-2's Conv1D does not."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)


def _is_stack(modules: "nn.ModuleList") -> bool:
    same_class = len({type(module) for module in modules}) == 1
    return same_class and any(is_linear(module) for module in modules[0].modules())


@dataclass(frozen=True)
class SubLayer:
    """Attention or feed-forward inside a block: it computes h from the residual x, and the block goes on with h + x.

    Args:
        source: Module whose first input is x.
        output: Module whose output is h, after dropout, before x is added.
        norm: Layer norm of h + x in post-norm blocks such as BERT's; None in pre-norm blocks such as Llama's.
    """

    source: "nn.Module"
    output: "nn.Module"
    norm: "nn.Module | None"


_Paths = tuple[str, str, str | None]
# (source, output, norm) of attention and of feed-forward. The first family whose paths all exist is the block's:
# Gemma-2 comes before Llama because it has Llama's names, and norms of h besides.
_FAMILIES: dict[str, tuple[_Paths, _Paths]] = {
    "BERT": (
        ("attention.self", "attention.output.dropout", "attention.output.LayerNorm"),
        ("intermediate", "output.dropout", "output.LayerNorm"),
    ),
    "MPNet": (
        ("attention.attn", "attention.dropout", "attention.LayerNorm"),
        ("intermediate", "output.dropout", "output.LayerNorm"),
    ),
    "DistilBERT": (("attention", "attention", "sa_layer_norm"), ("ffn", "ffn", "output_layer_norm")),
    "Gemma-2": (
        ("input_layernorm", "post_attention_layernorm", None),
        ("pre_feedforward_layernorm", "post_feedforward_layernorm", None),
    ),
    "Llama": (("input_layernorm", "self_attn", None), ("post_attention_layernorm", "mlp", None)),
    "ModernBERT": (("attn_norm", "attn", None), ("mlp_norm", "mlp", None)),
    "GPT-2": (("ln_1", "attn", None), ("ln_2", "mlp", None)),
    "T5 decoder": (("layer.0.layer_norm", "layer.0.dropout", None), ("layer.2.layer_norm", "layer.2.dropout", None)),
    "T5 encoder": (("layer.0.layer_norm", "layer.0.dropout", None), ("layer.1.layer_norm", "layer.1.dropout", None)),
}


def sub_layers(block: "nn.Module") -> tuple[SubLayer, SubLayer]:
    """Self-attention and feed-forward of a block.

    Raises:
        Unsupported: the block is none of the known families.
    """
    modules = dict(block.named_modules())
    for attention, feed_forward in _FAMILIES.values():
        if all(path in modules for path in (*attention, *feed_forward) if path):
            return _sub_layer(modules, attention), _sub_layer(modules, feed_forward)
    known = ", ".join(_FAMILIES)
    raise Unsupported(f"{type(block).__name__}: attention and feed-forward not found; known are blocks like {known}")


def _sub_layer(modules: dict[str, "nn.Module"], paths: _Paths) -> SubLayer:
    source, output, norm = paths
    return SubLayer(modules[source], modules[output], modules[norm] if norm else None)
