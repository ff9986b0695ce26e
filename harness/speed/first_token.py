"""The last block of an encoder computed where its output is read: at the first token."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from harness.bases.anatomy import blocks
from harness.bases.internals import attention_of

_POOLED_AT_FIRST_TOKEN = {
    "BertForSequenceClassification",
    "CamembertForSequenceClassification",
    "ElectraForSequenceClassification",
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
}
"""Classes of transformers whose blocks are BERT's and whose head reads the first token only."""


_every_token = ContextVar("every_token", default=False)


@contextmanager
def every_token() -> Iterator[None]:
    """Inside, last blocks return all tokens, for who reads hidden states and not the head's output."""
    token = _every_token.set(True)
    try:
        yield
    finally:
        _every_token.reset(token)


def keep_first_token(model: nn.Module) -> bool:
    """Let the last block return the first token alone, shape (B, 1, D); False where the head may read others.

    Keys and values are still those of all tokens, so what the head reads does not change. With a feed-forward four
    times as wide as the hidden size, ten of twelve parts of the block's products are left out. Call it before a method
    wraps the model.
    """
    if type(model).__name__ not in _POOLED_AT_FIRST_TOKEN:
        return False
    attention: Any = blocks(model)[1][-1].attention
    attention.self.forward = partial(_first_token_attention, attention.self)
    attention.output.register_forward_pre_hook(_first_token_residual)
    return True


def _first_token_attention(
    layer: Any,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    past_key_values: Any = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Self-attention of the first token to all, shape (B, 1, D); as transformers computes it for every token."""
    if _every_token.get():
        own: tuple[Tensor, Tensor | None] = type(layer).forward(
            layer, hidden_states, attention_mask, past_key_values, **kwargs
        )
        return own
    n_rows = len(hidden_states)
    heads = (n_rows, -1, layer.num_attention_heads, layer.attention_head_size)
    query = layer.query(hidden_states[:, :1]).view(heads).transpose(1, 2)
    key = layer.key(hidden_states).view(heads).transpose(1, 2)
    value = layer.value(hidden_states).view(heads).transpose(1, 2)
    if past_key_values is not None:
        past_key_values = getattr(past_key_values, "self_attention_cache", past_key_values)
        key, value = past_key_values.update(key, value, layer.layer_idx)
    if attention_mask is not None and attention_mask.dim() == 4:  # (B, 1, T, S)
        attention_mask = attention_mask[:, :, :1]
    attend = ALL_ATTENTION_FUNCTIONS[attention_of(layer.config)]
    dropout = layer.dropout.p if layer.training else 0.0
    output, weights = attend(layer, query, key, value, attention_mask, dropout=dropout, scaling=layer.scaling, **kwargs)
    return output.reshape(n_rows, 1, -1), weights


def _first_token_residual(_module: nn.Module, args: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What is added to the attention's output: the block's input at the same token."""
    output, residual = args
    return output, residual if _every_token.get() else residual[:, :1]
