"""Answers of encoders without a head: how alike two texts are, the nearest label or choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize

from harness.bases.context import of_tokens
from harness.core.errors import SpecError
from harness.formulation import Answer, Batch, Row
from harness.formulations._heads import BoundHead
from harness.task import Example, Target


@dataclass
class BoundSimilarity(BoundHead):
    """Cosine of texts embedded as sentence-transformers does it: the mean of their tokens.

    The two texts of a pair are compared with each other where likeness is asked for (regression, or a task that gives
    the ``likeness`` of its labels), and only that is trained. Otherwise a text is compared with each label's
    description (classification) or each choice (multiple_choice).

    Source:
        Reimers and Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084
    """

    _labels: Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """A number can only be the likeness of two texts."""
        if self.task.kind == "regression" and len(self.task.text) < 2:
            raise SpecError(f"formulation similarity needs two texts to compare; {self.task.name} has one")

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """The squared error of the cosine; sentence-transformers calls it CosineSimilarityLoss."""
        likeness = [self._likeness(row.example.target) for row in batch.rows]
        cosines = self._cosines(model, batch)
        wanted = torch.tensor(likeness, dtype=torch.float32, device=cosines.device)
        return mse_loss(cosines, wanted, reduction="none")

    def _likeness(self, target: Target) -> float:
        """What the cosine should be, 0 to 1."""
        assert isinstance(target, int | float)
        if self.task.likeness:
            return self.task.likeness[int(target)]
        return self.task.to_unit(float(target))

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Embed the label descriptions once."""
        if self.task.kind == "classification" and not self.task.asks_likeness:
            ids = self.tokenizer(list(self.task.descriptions))["input_ids"]
            rows = [Row(Example(str(n), {}, 0), (sequence,)) for n, sequence in enumerate(ids)]
            self._labels = embed(model, self.collate(rows, next(model.parameters()).device))

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows of the text, or of the texts that are compared: a pair, or a question and its choices."""
        if self.task.kind == "classification" and not self.task.asks_likeness:
            return super().encode(examples)
        rows = []
        for example in examples:
            ids, _, long = self._tokenize([*(example.fields[column] for column in self.task.text), *example.choices])
            self.n_truncated += bool(long)
            rows.append(Row(example, tuple(ids)))
        return rows

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The nearest label or choice with the cosines as scores.

        Of a pair the label whose likeness is nearest to the cosine, with the distances below 0 as scores; or the cosine
        stretched from 0..1 to the task's range.
        """
        if self.task.asks_likeness:
            return [self._of_pair(cosine) for cosine in self._cosines(model, batch).tolist()]
        vectors = embed(model, batch)
        if self._labels is not None:
            return [Answer.best_of(row) for row in (vectors @ self._labels.T).tolist()]
        parts = vectors.split([len(row.sequences) for row in batch.rows])
        return [Answer.best_of((part[1:] @ part[0]).tolist()) for part in parts]

    def _of_pair(self, cosine: float) -> Answer:
        if self.task.likeness:
            return Answer.best_of([-abs(cosine - likeness) for likeness in self.task.likeness])
        return Answer(self.task.from_unit(cosine))

    def _cosines(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of each row's two texts: float32, shape (B,)."""
        vectors = embed(model, batch)  # (2B, D)
        return (vectors[::2] * vectors[1::2]).sum(-1)


def embed(model: nn.Module, batch: Batch) -> Tensor:
    """Unit vectors of the mean over tokens, as sentence-transformers makes them: float32, shape (sequences, D)."""
    hidden = of_tokens(model(**batch.inputs).last_hidden_state, batch.inputs["input_ids"].shape[1]).float()
    mask = batch.inputs["attention_mask"].unsqueeze(-1).float()
    return normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
