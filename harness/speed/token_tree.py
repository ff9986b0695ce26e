"""Logits of sequences that begin alike: what several share is computed once."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from harness.bases.context import of_tokens
from harness.bases.internals import attention_of

ReadAt = tuple[int, int]
"""A sequence, and the position in it whose logits are wanted: those of the token after it."""


@dataclass(frozen=True)
class Tree:
    """Sequences packed into one: each token once for all that agree up to it, after the token before it."""

    ids: list[int]
    depths: list[int]
    paths: list[list[int]]
    """Of each sequence, where its tokens stand in ``ids``."""


def tree(sequences: Sequence[Sequence[int]]) -> Tree:
    """Pack the sequences of a prompt with its choices."""
    made = Tree([], [], [])
    places: dict[tuple[int, int], int] = {}
    for sequence in sequences:
        path: list[int] = []
        for depth, token in enumerate(sequence):
            key = (path[-1] if path else -1, token)
            if key not in places:
                places[key] = len(made.ids)
                made.ids.append(token)
                made.depths.append(depth)
            path.append(places[key])
        made.paths.append(path)
    return made


class Start(DynamicCache):
    """Keys and values of tokens that many sequences begin with, of batch size 1; every batch goes on from them.

    Nothing is added to them: what a batch adds is given to its own attention and forgotten, layer by layer.
    """

    def __init__(self, model: nn.Module, ids: list[int]) -> None:
        """Run a model on the tokens."""
        super().__init__()
        self.ids = ids
        inputs = torch.tensor([ids], device=next(model.parameters()).device)
        with only_read_at(model, [], len(ids)):
            output = model(input_ids=inputs, attention_mask=torch.ones_like(inputs), use_cache=True)
        self.layers = output.past_key_values.layers

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Keys and values of the start, then those of a batch: shape (B, H, start + T, D)."""
        layer, n_rows = self.layers[layer_idx], len(key_states)
        pairs = ((layer.keys, key_states), (layer.values, value_states))
        keys, values = (torch.cat([before.expand(n_rows, -1, -1, -1), new], dim=2) for before, new in pairs)
        return keys, values

    def begins(self, sequences: Sequence[Sequence[int]], first_read: int) -> bool:
        """Whether all sequences begin so and nothing is read in it."""
        n = len(self.ids)
        return first_read >= n and all(sequence[:n] == self.ids for sequence in sequences)


def count_common(sequences: Sequence[Sequence[int]]) -> int:
    """Tokens that all sequences begin with."""
    shortest = min(map(len, sequences))
    differ = (n for n in range(shortest) if any(s[n] != sequences[0][n] for s in sequences))
    return next(differ, shortest)


def takes_trees(model: nn.Module) -> bool:
    """Whether a decoder can be told the position of every token and which tokens it sees.

    Not those with sliding windows, nor those that don't take positions.
    """
    config: Any = model.config
    return (
        takes_positions(model)
        and attention_of(config).startswith("sdpa")
        and not getattr(config, "alibi", False)
        and not any(DynamicCache(config=config).is_sliding)
    )


def takes_positions(model: nn.Module) -> bool:
    """Whether a decoder reads the same of a token wherever it stands, as long as it is told the token's position.

    Not those with recurrent states or positions of their own, nor under peft's virtual tokens, which are given before
    the input without positions.
    """
    if any(config.is_prompt_learning for config in getattr(model, "peft_config", {}).values()):
        return False
    wrapped: Any = model
    base = wrapped.get_base_model() if hasattr(model, "get_base_model") else wrapped
    taken = inspect.signature(base.forward).parameters
    return {"position_ids", "past_key_values"} <= taken.keys() and not any(DynamicCache(config=base.config).is_linear)


def logits_of(
    model: nn.Module,
    groups: Sequence[Sequence[Sequence[int]]],
    reads: Sequence[ReadAt],
    pad_id: int,
    start: Start | None,
) -> Tensor:
    """Logits at every read, in their order: shape (N, V), N the number of reads.

    Args:
        groups: Token ids of the sequences of each group; every group becomes a tree, all of them one batch.
        start: What all of them begin with.
    """
    n_start = len(start.ids) if start else 0
    trees = [tree([sequence[n_start:] for sequence in group]) for group in groups]
    paths = [(row, path) for row, packed in enumerate(trees) for path in packed.paths]
    places = [(paths[sequence][0], paths[sequence][1][position - n_start]) for sequence, position in reads]
    index_of = {place: index for index, place in enumerate(dict.fromkeys(places))}
    inputs = _inputs(trees, n_start, pad_id, next(model.parameters()).device)
    with only_read_at(model, list(index_of), inputs["input_ids"].shape[1]):
        logits: Tensor = model(**inputs, past_key_values=start, use_cache=start is not None).logits
    return logits[[index_of[place] for place in places]]


def _inputs(trees: list[Tree], n_start: int, pad_id: int, device: torch.device) -> dict[str, Tensor]:
    """Token ids and positions, shape (B, T), and which tokens each one sees, shape (B, 1, T, start + T)."""
    shape = (len(trees), max(len(packed.ids) for packed in trees))
    ids, positions = np.full(shape, pad_id), np.zeros(shape, dtype=np.int64)
    sees = np.zeros((*shape, n_start + shape[1]), dtype=bool)
    sees[:, :, :n_start] = True
    own = sees[:, :, n_start:]
    own[:, range(shape[1]), range(shape[1])] = True  # padding too: what sees nothing becomes not a number
    for row, packed in enumerate(trees):
        ids[row, : len(packed.ids)] = packed.ids
        positions[row, : len(packed.ids)] = np.add(packed.depths, n_start)
        for path in packed.paths:
            own[row][np.ix_(path, path)] |= np.tri(len(path), dtype=bool)
    arrays = {"input_ids": ids, "position_ids": positions, "attention_mask": sees[:, None]}
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


@contextmanager
def only_read_at(model: nn.Module, places: Sequence[tuple[int, int]], length: int) -> Iterator[None]:
    """Let a language-model head see the hidden states at some (row, column) only: its logits have shape (N, V) then.

    A vocabulary is far wider than a hidden state, so logits of tokens that nobody reads cost time and memory.

    Args:
        places: Columns are those of the tokens given to the model, whatever virtual tokens a method puts before them.
        length: How many tokens are given, padding included.
    """
    head: nn.Module = model.get_output_embeddings()  # type: ignore[operator]
    rows, columns = [row for row, _ in places], [column for _, column in places]

    def read(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (of_tokens(args[0], length)[rows, columns],)

    hook = head.register_forward_pre_hook(read)
    try:
        yield
    finally:
        hook.remove()
