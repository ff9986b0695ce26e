"""Dropout on the processor with masks from bulk random bytes: torch's ``bernoulli_`` draws them one by one.

The probabilities are the same to 2^-16; the masks are not those that torch would draw. Masks follow torch's own seed:
``torch.manual_seed``, ``fork_rng`` and gradient checkpointing act on them as on torch's dropout.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as torch_dropout
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from harness.bases.internals import attention_of

ATTENTION = "sdpa_bulk_dropout"
"""Name of the attention below among those of transformers."""
_LEVELS = 1 << 16


def dropout(x: Tensor, p: float) -> Tensor:
    """``x`` with a share ``p`` of its elements set to zero and the others divided by what is kept on average.

    Args:
        x: Any shape and floating type; on a GPU this is torch's own dropout.
        p: Rounded to a multiple of 2^-16.
    """
    n_dropped = round(p * _LEVELS)
    if n_dropped == 0:
        return x
    if x.device.type != "cpu" or n_dropped == _LEVELS:
        return torch_dropout(x, p)
    return x * _factors(x, n_dropped)


def _factors(x: Tensor, n_dropped: int) -> Tensor:
    """0 or 1 / (1 - p), of the shape and type of ``x``; 16 random bits decide on each."""
    seed = int(torch.randint(2**63 - 1, ()))
    words = np.random.Generator(np.random.SFC64(seed)).integers(0, 2**64, -(-x.numel() // 4), dtype=np.uint64)
    bits = torch.from_numpy(words.view(np.int16)[: x.numel()]).view(x.shape)
    return (bits >= n_dropped - _LEVELS // 2).to(x.dtype).mul_(_LEVELS / (_LEVELS - n_dropped))


class Dropout(nn.Dropout):
    """``nn.Dropout`` with the function above."""

    def forward(self, input: Tensor) -> Tensor:
        """Dropout in training, the input itself in evaluation."""
        return dropout(input, self.p) if self.training else input


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention; where weights are dropped, with the dropout above.

    Args:
        query: Shape (B, H, T, D); key and value (B, H or fewer, S, D).
        attention_mask: True or 0 where a key is attended to, False or a large negative number elsewhere; broadcastable
            to (B, H, T, S).

    Returns:
        Shape (B, T, H, D), and None for the weights.
    """
    causal = attention_mask is None and query.shape[2] > 1 and getattr(module, "is_causal", True)
    if not dropout or causal or query.device.type != "cpu":
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, None
    n_groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, n_groups), repeat_kv(value, n_groups)
    logits = (query * (scaling or query.shape[-1] ** -0.5)) @ key.transpose(2, 3)  # (B, H, T, S)
    if attention_mask is not None:
        masked = attention_mask.dtype == torch.bool
        logits = logits.masked_fill(~attention_mask, -torch.inf) if masked else logits + attention_mask
    weights = _bulk_dropout(torch.softmax(logits, dim=-1), dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


_bulk_dropout = dropout  # inside ``attention`` the name is the probability, as transformers passes it

AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def use_bulk_dropout(model: nn.Module) -> None:
    """Let a model drop hidden states and attention weights this way; call it before a method wraps it."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout
    config: Any = model.config
    drops = any(getattr(config, name, 0) for name in ("attention_probs_dropout_prob", "attention_dropout"))
    if drops and attention_of(config) == "sdpa":
        model.set_attn_implementation(ATTENTION)  # type: ignore[operator]
