"""What every formulation shares: rows, batches of similar length, predictions in the order of the examples."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from harness.bases.context import usable_context
from harness.bases.load import Base
from harness.core.spec import RunSpec
from harness.task import Example, Task

PASS_TOKENS = 64
"""What one more pass through a model costs on a processor beside its tokens, in tokens: weights are read again."""
IGNORED = -100
"""Target of a position that is not learned, as torch's cross-entropy has it."""


@dataclass(frozen=True, slots=True)
class Span:
    """One answer's tokens inside a row: predicted at ``start``, ``start + 1``, … of one of its sequences."""

    sequence: int
    start: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One tokenized example: its sequences (one, or one per choice) and what is asked of them."""

    example: Example
    sequences: tuple[list[int], ...]
    segments: list[int] | None = None
    spans: tuple[Span, ...] = ()
    targets: tuple[int, ...] = ()
    """Label of each token (token heads), or the token ids of the answer (generation, encoder_decoder)."""

    @property
    def length(self) -> int:
        """Tokens of the longest sequence."""
        return max(len(sequence) for sequence in self.sequences)

    @property
    def n_tokens(self) -> int:
        """Tokens of all sequences, padding not counted."""
        return sum(len(sequence) for sequence in self.sequences)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to the longest: ``inputs`` go to the model as they are."""

    rows: Sequence[Row]
    inputs: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction in the task's own terms, with a score per label or choice (higher is likelier), or the raw text."""

    prediction: int | float | str | tuple[int, ...]
    scores: tuple[float, ...] = ()
    text: str | None = None


@dataclass
class Formulation(ABC):
    """How a base answers a task: turns examples into rows, rows into a loss and into answers."""

    task: Task
    base: Base
    spec: RunSpec
    n_truncated: int = field(default=0, init=False)
    """Examples cut to ``base.max_length`` so far."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base's tokenizer."""
        return self.base.tokenizer

    @property
    def max_length(self) -> int:
        """Tokens kept of a sequence: the spec's limit, or the base's context where that is shorter."""
        return min(self.spec.base.max_length, self.tokenizer.model_max_length, usable_context(self.base))

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:  # noqa: B027 - most have nothing to do
        """Called once before answers are asked of an untrained model: few-shot examples, label embeddings."""

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows to be answered; the target is not part of what the model reads."""

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Rows to learn from."""
        return self.encode(examples)

    @abstractmethod
    def collate(self, rows: Sequence[Row], device: torch.device) -> Batch:
        """A batch of rows on the model's device."""

    def size(self, row: Row) -> int:
        """Tokens that a row takes in a batch to be answered, by which similar rows are put together."""
        return row.length

    def max_padding(self, model: nn.Module) -> float:
        """Tokens of padding that a pass may hold before it ends, in training and in answering."""
        return PASS_TOKENS if next(model.parameters()).device.type == "cpu" else math.inf

    @abstractmethod
    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """The task loss of each row, float32, shape (B,): summed over what ``n_counted`` counts in it."""

    def n_counted(self, rows: Sequence[Row]) -> int:
        """What the loss of a step is the mean of: the examples, of which each has its own loss."""
        return len(rows)

    @contextmanager
    def answering(self, model: nn.Module, rows: Sequence[Row]) -> Iterator[None]:
        """Held while these rows are answered in batches: what all of them need is computed at its beginning."""
        yield

    @abstractmethod
    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """One answer per row of the batch."""


def pad(
    sequences: Sequence[Sequence[int]], value: int, device: torch.device, side: str = "right"
) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both int64 of shape (B, T), T the longest sequence."""
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), value, dtype=torch.long)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if side == "right" else slice(longest - len(sequence), longest)
        ids[row, place] = torch.tensor(sequence, dtype=torch.long)
        mask[row, place] = 1
    return ids.to(device), mask.to(device)


def by_size(sizes: Sequence[int], batch_size: int, max_padding: float = math.inf) -> Iterator[list[int]]:
    """Indices of rows in batches of similar size, largest first, so that memory runs out at once or never.

    Args:
        sizes: Tokens of each row.
        batch_size: Rows of a batch at most.
        max_padding: A batch ends before it holds more padding than this, in tokens.
    """
    batch: list[int] = []
    padding = 0
    for index in sorted(range(len(sizes)), key=lambda index: (-sizes[index], index)):
        padding += sizes[batch[0]] - sizes[index] if batch else 0
        if len(batch) == batch_size or padding > max_padding:
            yield batch
            batch, padding = [], 0
        batch.append(index)
    if batch:
        yield batch
