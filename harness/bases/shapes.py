"""Sizes of the linear layers in a transformer block, from the configuration alone: no weights, no torch."""

from collections.abc import Mapping
from typing import Any

from harness.core.info import LinearShape

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


def has_biases(config: Mapping[str, Any]) -> bool:
    """Whether the blocks have bias vectors, of linear layers or of norms; True for a family that is not known here.

    Args:
        config: The content of config.json.
    """
    if shapes := linear_shapes(config):  # Llama and its kin have norms without biases
        return any(shape.has_bias for shape in shapes)
    return not str(config.get("model_type", "")).endswith("t5")


def _bert(hidden: int, inner: int) -> tuple[LinearShape, ...]:
    return (
        LinearShape("attention.self.query", hidden, hidden, "query", True),
        LinearShape("attention.self.key", hidden, hidden, "key", True),
        LinearShape("attention.self.value", hidden, hidden, "value", True),
        LinearShape("attention.output.dense", hidden, hidden, "output", True),
        LinearShape("intermediate.dense", hidden, inner, "up", True),
        LinearShape("output.dense", inner, hidden, "down", True),
    )


def _llama(config: Mapping[str, Any]) -> tuple[LinearShape, ...]:
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head_size = config.get("head_dim") or hidden // heads
    query, key_value = heads * head_size, config.get("num_key_value_heads", heads) * head_size
    is_qwen2 = config["model_type"] == "qwen2"  # its biases are no setting
    reads_bias = is_qwen2 or bool(config.get("attention_bias"))
    writes_bias = not is_qwen2 and bool(config.get("attention_bias"))
    mlp_bias = bool(config.get("mlp_bias"))
    return (
        LinearShape("self_attn.q_proj", hidden, query, "query", reads_bias),
        LinearShape("self_attn.k_proj", hidden, key_value, "key", reads_bias),
        LinearShape("self_attn.v_proj", hidden, key_value, "value", reads_bias),
        LinearShape("self_attn.o_proj", query, hidden, "output", writes_bias),
        LinearShape("mlp.gate_proj", hidden, inner, "gate", mlp_bias),
        LinearShape("mlp.up_proj", hidden, inner, "up", mlp_bias),
        LinearShape("mlp.down_proj", inner, hidden, "down", mlp_bias),
    )
