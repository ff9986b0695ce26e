"""The formulation contract: how a base answers a task (a head, likelihoods of answers, generated text, …).

A plug-in is two classes in one file: a ``Formulation`` declares what it answers and which model it needs; the
``BoundFormulation`` that it names turns the examples of one run into rows, losses and answers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.core.errors import NoResult, SpecError
from harness.core.info import BaseInfo, BaseKind, TaskInfo, TaskKind
from harness.core.plugins import Plugin, Registry
from harness.core.spec import RunSpec
from harness.method import Scoring
from harness.task import Example, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerBase

    from harness.bases.load import Base

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
    inputs: "dict[str, Tensor]"


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction in the task's own terms, with a score per label or choice (higher is likelier), or the raw text."""

    prediction: int | float | str | tuple[int, ...]
    scores: tuple[float, ...] = ()
    text: str | None = None

    @classmethod
    def best_of(cls, scores: Sequence[float]) -> "Answer":
        """The label or choice of the highest score; of equal ones the first."""
        return cls(max(range(len(scores)), key=scores.__getitem__), tuple(scores))


@dataclass
class BoundFormulation(ABC):
    """A formulation in one run: turns examples into rows, rows into losses and into answers.

    Args:
        task: What is asked.
        base: The loaded base; ``base.model`` may be part of the model that the hooks get.
        spec: The run.
        scoring: How a language model's answers are scored.
        n_virtual_tokens: Positions before the input that the method takes from the base's context.
    """

    task: Task
    base: "Base"
    spec: RunSpec
    scoring: Scoring = field(default_factory=Scoring)
    n_virtual_tokens: int = 0
    reads_train: ClassVar[bool] = False
    """Whether answers need the training examples beside what is stored of the model."""
    n_truncated: int = field(default=0, init=False)
    """Examples cut to ``max_length`` so far."""

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The base's tokenizer."""
        return self.base.tokenizer

    @property
    def context(self) -> int:
        """Tokens of input that the base can read beside the method's virtual tokens."""
        from harness.bases.context import usable_context

        return usable_context(self.base.model, self.n_virtual_tokens)

    @property
    def max_length(self) -> int:
        """Tokens kept of a sequence: the spec's limit, or the base's context where that is shorter."""
        return min(self.spec.base.max_length, self.tokenizer.model_max_length, self.context)

    def prepare(self, model: "nn.Module", train: Sequence[Example]) -> None:  # noqa: B027 - most have nothing to do
        """Called once before answers are asked of an untrained model: few-shot examples, label embeddings."""

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows to be answered, one per example in order; the target is not part of what the model reads."""

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Rows to learn from, one per example in order."""
        return self.encode(examples)

    def collate(self, rows: Sequence[Row], device: "torch.device") -> Batch:
        """A batch of rows on the model's device: all sequences of all rows, right-padded."""
        ids, mask = pad([s for row in rows for s in row.sequences], self.tokenizer.pad_token_id, device)
        return Batch(rows, {"input_ids": ids, "attention_mask": mask})

    def size(self, row: Row) -> int:
        """Tokens that a row takes in a batch to be answered, by which similar rows are put together."""
        return row.length

    def max_padding(self, model: "nn.Module") -> float:
        """Tokens of padding that a pass may hold before it ends, in training and in answering."""
        return PASS_TOKENS if next(model.parameters()).device.type == "cpu" else math.inf

    @abstractmethod
    def losses(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """The task loss of each row, float32, shape (B,): summed over what ``n_counted`` counts in it."""

    def n_counted(self, rows: Sequence[Row]) -> int:
        """What the loss of a step is the mean of: the examples, of which each has its own loss."""
        return len(rows)

    @contextmanager
    def answering(self, model: "nn.Module", rows: Sequence[Row]) -> Iterator[None]:
        """Held while these rows are answered in batches: what all of them need is computed at its beginning."""
        yield

    @abstractmethod
    def answer(self, model: "nn.Module", batch: Batch) -> list[Answer]:
        """One answer per row of the batch, in order."""


class Formulation(Plugin):
    """A way in which a base answers a task, declared; its file imports torch inside functions only."""

    kinds: ClassVar[frozenset[TaskKind]]
    """The kinds of task that it can answer."""
    model_classes: ClassVar[Mapping[BaseKind, str]]
    """The kinds of base that can answer this way → transformers' auto class that loads them for it."""
    has_head: ClassVar[bool] = False
    """Whether a new head is made for the task, which every method trains."""
    reads_pooled: ClassVar[bool] = False
    """Whether it reads nothing but what the model pools of a sequence: other tokens need no last block then."""
    modality: ClassVar[Literal["text"]] = "text"
    """What the base reads."""

    def n_outputs(self, task: Task) -> int:
        """Outputs of the new head."""
        return task.n_outputs

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """Of the formulations that can answer, the one of the highest rank is the default; ``trains``: the method."""
        return 0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Why this base can't answer this way, in one sentence, or None; ``task.is_trained`` says whether it is to."""
        if base.kind in self.model_classes:
            return None
        return (
            f"formulation {self.name} needs a base that is {' or '.join(self.model_classes)}; this one is {base.kind}"
        )

    def bound(self, task: Task) -> type[BoundFormulation]:
        """The class that answers a task."""
        raise NotImplementedError


FORMULATIONS = Registry("formulation", "harness.formulations", Formulation)
"""Every formulation: a file in harness/formulations/, or an entry point."""


def make_formulation(name: str | None, base: BaseInfo, task: Task, trains: bool) -> Formulation:
    """The formulation of that name, or the default: of the highest rank, first among those that the base can do.

    One that the base can't do is named all the same where there is no other (text generated by an encoder): the cell
    is then skipped with its reason.

    Raises:
        SpecError: an unknown name, or a formulation that can't answer this kind of task.
    """
    answering = [made for made in map(FORMULATIONS.make, FORMULATIONS.names()) if task.kind in made.kinds]
    if name is None:
        return max(answering, key=lambda made: (base.kind in made.model_classes, made.rank(base, task, trains)))
    chosen = FORMULATIONS.make(name)
    if task.kind not in chosen.kinds:
        allowed = ", ".join(made.name for made in answering)
        raise SpecError(f"formulation of a {task.kind} task must be one of {allowed}; got {name!r}")
    return chosen


def pad(
    sequences: Sequence[Sequence[int]], value: int, device: "torch.device", side: str = "right"
) -> "tuple[Tensor, Tensor]":
    """Token ids and attention mask, both int64 of shape (B, T), T the longest sequence."""
    import torch

    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), value, dtype=torch.long)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if side == "right" else slice(longest - len(sequence), longest)
        ids[row, place] = torch.tensor(sequence, dtype=torch.long)
        mask[row, place] = 1
    return ids.to(device), mask.to(device)


def check_numbers(values: "Tensor") -> None:
    """Whether logits that are read are numbers, where no score is kept of them.

    Raises:
        NoResult: one is not.
    """
    if values.isnan().any():
        raise NoResult("the model's logits are not numbers")
