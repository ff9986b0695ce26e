"""Sizes of the linear layers in a transformer block, from the configuration alone: no weights, no torch."""

from collections.abc import Mapping
from typing import Any

from harness.method import LinearShape

_LIKE_BERT = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
_LIKE_LLAMA = ("llama", "mistral", "qwen2", "smollm3", "gemma", "gemma2")


def linear_shapes(config: Mapping[str, Any]) -> tuple[LinearShape, ...]:
    """The linear layers of a block; none for a family that is not known here.

    Args:
        config: The content of config.json.
    """
    if config.get("model_type") in _LIKE_BERT:
        return _bert(config["hidden_size"], config["intermediate_size"])
    if config.get("model_type") in _LIKE_LLAMA:
        return _llama(config)
    return ()


def _bert(hidden: int, inner: int) -> tuple[LinearShape, ...]:
    square = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    return (
        *(LinearShape(name, hidden, hidden) for name in square),
        LinearShape("intermediate.dense", hidden, inner),
        LinearShape("output.dense", inner, hidden),
    )


def _llama(config: Mapping[str, Any]) -> tuple[LinearShape, ...]:
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head_size = config.get("head_dim") or hidden // heads
    query, key_value = heads * head_size, config.get("num_key_value_heads", heads) * head_size
    return (
        LinearShape("self_attn.q_proj", hidden, query),
        LinearShape("self_attn.k_proj", hidden, key_value),
        LinearShape("self_attn.v_proj", hidden, key_value),
        LinearShape("self_attn.o_proj", query, hidden),
        LinearShape("mlp.gate_proj", hidden, inner),
        LinearShape("mlp.up_proj", hidden, inner),
        LinearShape("mlp.down_proj", inner, hidden),
    )
