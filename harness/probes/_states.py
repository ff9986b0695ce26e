"""What a model computes inside, token by token."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from harness.bases.context import of_tokens
from harness.formulation import pad
from harness.speed.first_token import every_token

BATCH = 16
"""Sequences of a pass."""


@torch.no_grad()
def hidden_states(model: nn.Module, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """The embeddings and the output of each block: float32, each of shape (B, T, D), virtual tokens left out."""
    model.eval()
    with every_token():
        given = model(input_ids=input_ids, attention_mask=mask, output_hidden_states=True)
    return tuple(of_tokens(state, input_ids.shape[1]).float() for state in given.hidden_states)


def token_states(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int = 64
) -> list[NDArray[np.float64]]:
    """The embeddings and the output of each block for all tokens of all texts, each of shape (tokens, D)."""
    ids = tokenizer(list(texts), truncation=True, max_length=max_length, verbose=False)["input_ids"]
    parts = []
    for input_ids, mask in batches(ids, tokenizer.pad_token_id, device_of(model)):
        states = hidden_states(model, input_ids, mask)
        parts.append([state[mask.bool()].cpu().numpy().astype(float) for state in states])
    return [np.concatenate(block) for block in zip(*parts, strict=True)]


def batches(sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Token ids and masks, int64, shape (B, T), right-padded, in the order of the sequences."""
    return [pad(sequences[at : at + BATCH], pad_id, device) for at in range(0, len(sequences), BATCH)]


def device_of(model: nn.Module) -> torch.device:
    """Where its weights are."""
    return next(model.parameters()).device
