"""Labels from embeddings: pairs to learn from, and the classifier that reads the embeddings."""

import math
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from harness.core.seeds import derive
from harness.formulation import Answer, Batch, Row
from harness.formulations._heads import BoundHead
from harness.formulations._similarity import embed
from harness.task import Example

N_PAIRS = 2
"""Texts of the same label, and of others, that each training text is compared with."""
_LEAST = math.log(sys.float_info.min)
"""Score of a label without a training example."""


@dataclass
class BoundSetFit(BoundHead):
    """Training drives the cosine of two embedded texts to 1 where their labels agree and to 0 where they differ.

    The pairs are drawn once, by the seed. Whenever texts are to be answered, a logistic regression is fitted to the
    embeddings of all training texts as they are then; it is not part of what is stored.

    Source:
        Tunstall et al. 2022, section 3, https://arxiv.org/abs/2209.11055
    """

    reads_train: ClassVar[bool] = True

    _train: list[Row] = field(default_factory=list, init=False)
    _classifier: Any = field(default=None, init=False)

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Keep the training texts; those cut are counted when they are encoded to learn from."""
        n_truncated = self.n_truncated
        self._train = self.encode(train)
        self.n_truncated = n_truncated

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Rows of a text and those that it is compared with; targets: 1 where the label is the same, else 0."""
        rows, generator = self.encode(examples), random.Random(derive(self.spec.seed, "pairs"))
        made = []
        for row in rows:
            same = [other for other in rows if other.example.target == row.example.target]
            different = [other for other in rows if other.example.target != row.example.target]
            compared = generator.choices(same, k=N_PAIRS)
            compared += generator.choices(different, k=N_PAIRS) if different else []
            made.append(_joined(row, compared))
        return made

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """The squared error of the cosines, mean over a row's pairs."""
        parts = embed(model, batch).split([len(row.sequences) for row in batch.rows])
        errors = []
        for row, part in zip(batch.rows, parts, strict=True):
            cosines = (part[1:] * part[0]).sum(-1)
            errors.append(mse_loss(cosines, torch.tensor(row.targets, dtype=torch.float32, device=cosines.device)))
        return torch.stack(errors)

    @contextmanager
    def answering(self, model: nn.Module, rows: Sequence[Row]) -> Iterator[None]:
        """Fit the classifier to the training texts."""
        from sklearn.linear_model import LogisticRegression

        labels = [row.example.target for row in self._train]
        if len(set(labels)) > 1:
            self._classifier = LogisticRegression(max_iter=1000).fit(self._embedded(model), labels)
        try:
            yield
        finally:
            self._classifier = None

    def _embedded(self, model: nn.Module) -> np.ndarray:
        """The training texts, shape (N, D)."""
        order = sorted(range(len(self._train)), key=lambda index: self._train[index].length)
        size, device = self.spec.evaluation.batch_size, next(model.parameters()).device
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        vectors = [embed(model, self.collate([self._train[i] for i in part], device)).cpu().numpy() for part in parts]
        found: np.ndarray = np.concatenate(vectors)[np.argsort(order)]
        return found

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The likeliest label with log-probabilities as scores; where train has one label alone, that one."""
        labels, scores = [self._train[0].example.target], np.zeros((len(batch.rows), 1))
        if self._classifier is not None:
            labels = self._classifier.classes_.tolist()
            scores = self._classifier.predict_log_proba(embed(model, batch).cpu().numpy())
        by_label = [dict(zip(labels, row, strict=True)) for row in scores.tolist()]
        return [
            Answer.best_of([found.get(label, _LEAST) for label in range(self.task.n_outputs)]) for found in by_label
        ]


def _joined(row: Row, compared: Sequence[Row]) -> Row:
    """One row of several texts, each a sequence."""
    texts = [row, *compared]
    segments = None if row.segments is None else list(chain.from_iterable(text.segments or () for text in texts))
    targets = tuple(int(other.example.target == row.example.target) for other in compared)
    return replace(row, sequences=tuple(text.sequences[0] for text in texts), segments=segments, targets=targets)
