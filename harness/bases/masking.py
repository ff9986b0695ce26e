"""Tokens of a text that are hidden, to be told again."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def text_tokens(tokenizer: "PreTrainedTokenizerBase", inputs: dict[str, Tensor]) -> Tensor:
    """Which tokens are of the texts, not those that the tokenizer puts around them; bool, shape (B, T)."""
    ids = inputs["input_ids"]
    special = torch.tensor(tokenizer.all_special_ids, device=ids.device)
    return inputs["attention_mask"].bool() & ~torch.isin(ids, special)


def choose_tokens(tokenizer: "PreTrainedTokenizerBase", inputs: dict[str, Tensor], rate: float) -> Tensor:
    """Which tokens are to be told: a share of those of the texts, drawn at random; bool, shape (B, T)."""
    text, ids = text_tokens(tokenizer, inputs), inputs["input_ids"]
    return text & (torch.rand(ids.shape, device=ids.device) < rate)


def mask_tokens(tokenizer: "PreTrainedTokenizerBase", ids: Tensor, chosen: Tensor) -> Tensor:
    """Of the chosen tokens 8 of 10 are masked, one is a random one, one is left.

    Source:
        Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805
    """
    drawn, mask = torch.rand(ids.shape, device=ids.device), tokenizer.mask_token_id
    others = torch.randint_like(ids, len(tokenizer))
    masked = torch.where(chosen & (drawn < 0.8), mask, ids)
    return torch.where(chosen & (drawn >= 0.9), others, masked)
