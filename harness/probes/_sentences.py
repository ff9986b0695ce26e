"""Sentences as an encoder embeds them: the mean of their tokens' states."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedTokenizerBase

from harness.probes._states import batches, device_of, hidden_states
from harness.task import Example

MAX_LENGTH = 128


def embed(model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    """Float32, shape (N, D)."""
    ids = tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
    found = []
    for input_ids, mask in batches(ids, tokenizer.pad_token_id, device_of(model)):
        states, weights = hidden_states(model, input_ids, mask)[-1], mask.unsqueeze(-1).float()
        found.append((states * weights).sum(1) / weights.sum(1))
    return torch.cat(found)


def cosines(model: nn.Module, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Example]) -> NDArray[np.float64]:
    """Of the two texts of each example, shape (N,)."""
    first, second = (embed(model, tokenizer, [list(one.fields.values())[at] for one in pairs]) for at in (0, 1))
    return cosine_similarity(first, second).cpu().numpy().astype(float)
