"""Answers to all examples of a split, and what they are worth."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import nn

from harness.core.errors import NoResult, SpecError, Unsupported
from harness.formulation import Answer, BoundFormulation, Row
from harness.formulations._prompts import as_compared
from harness.libraries.evaluate import judged
from harness.measure.hardware import autocast
from harness.runs.soundness import check_answers
from harness.storage.predictions import Answers
from harness.storage.record import AnswerCounts
from harness.task import Task
from harness.training.batches import by_size
from harness.training.ranks import ALONE, Ranks


@torch.no_grad()
def predict(
    model: nn.Module,
    formulation: BoundFormulation,
    rows: Sequence[Row],
    advance: Callable[[int], None] = lambda n: None,
    ranks: Ranks = ALONE,
) -> list[Answer]:
    """Answers in the order of the rows; ``advance`` is told how many rows were answered.

    Several ``ranks`` share the batches out, and each has the answers to all.

    Raises:
        NoResult: an answer is not a number.
        OtherProcess: another process failed.
    """
    model.eval()
    device = next(model.parameters()).device
    answers: dict[int, Answer] = {}
    sizes = [formulation.size(row) for row in rows]
    batches = list(by_size(sizes, formulation.spec.evaluation.batch_size, formulation.max_padding(model)))
    own = ranks.own(batches)
    asked = rows if ranks.n == 1 else [rows[index] for index in sorted(chain.from_iterable(own))]
    with ranks.together(), autocast(device, formulation.spec.training.precision), ExitStack() as held:
        if asked:
            held.enter_context(formulation.answering(model, asked))
        for indices in own:
            batch = formulation.collate([rows[index] for index in indices], device)
            answers.update(zip(indices, formulation.answer(model, batch), strict=True))
            advance(len(indices))
    if ranks.n > 1:
        answers = _gathered(answers, ranks)
    in_order = [answers[index] for index in range(len(rows))]
    with ranks.together():
        check_answers(rows, in_order)
    return in_order


def _gathered(answers: dict[int, Answer], ranks: Ranks) -> dict[int, Answer]:
    """Those of all processes, by place."""
    own = [(index, answer.prediction, answer.scores, answer.text) for index, answer in answers.items()]
    return {
        index: Answer(tuple(prediction) if isinstance(prediction, list) else prediction, tuple(scores), text)
        for told in ranks.gather(own)
        for index, prediction, scores, text in told
    }


@dataclass(frozen=True)
class Judged:
    """The rows and answers of one split."""

    split: str
    rows: Sequence[Row]
    answers: Sequence[Answer]

    def relabelled(self, labels: Sequence[int] | None) -> "Judged":
        """With predictions in another task's labels: ``labels[i]`` is the one for this task's label i."""
        if labels is None:
            return self
        answers = [replace(a, prediction=labels[a.prediction]) for a in self.answers if isinstance(a.prediction, int)]
        return replace(self, answers=answers)

    def stored(self, task: Task) -> Answers:
        """The answers as predictions.parquet holds them and as metrics read them."""
        has_scores = any(answer.scores for answer in self.answers)
        has_texts = any(answer.text is not None for answer in self.answers)
        return Answers.of(
            targets=[_target(row, task) for row in self.rows],
            predictions=[answer.prediction for answer in self.answers],
            example_ids=[row.example.id for row in self.rows],
            scores=[answer.scores for answer in self.answers] if has_scores else None,
            texts=[answer.text for answer in self.answers] if has_texts else None,
        )

    def metrics(self, task: Task) -> dict[str, float]:
        """``split/metric`` → value, as the metric's module of evaluate gives it.

        Raises:
            NoResult: a value is not a finite number, or there is not an answer for every example.
            Unsupported: a metric can't judge such answers, as where it needs scores that they don't have.
        """
        if len(self.answers) != len(self.rows):
            raise NoResult(f"{self.split}: {len(self.answers)} answers to {len(self.rows)} examples")
        stored = self.stored(task)
        try:
            values = {f"{self.split}/{name}": judged(name, stored) for name in task.metrics}
        except SpecError as error:
            raise Unsupported(str(error)) from None
        for name, value in values.items():
            if not math.isfinite(value):
                raise NoResult(f"{name} is {value}")
        return values

    @property
    def counts(self) -> AnswerCounts:
        """How many were asked and answered."""
        distinct = len({answer.prediction for answer in self.answers})
        return AnswerCounts(asked=len(self.rows), scored=len(self.answers), distinct=distinct)


def _target(row: Row, task: Task) -> Any:
    return as_compared(task, str(row.example.target)) if task.kind == "generation" else row.example.target
