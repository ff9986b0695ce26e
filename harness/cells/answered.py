"""Cells with their answers, resampled together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.cells.scores import Scored
from harness.metric import Metric
from harness.statistics.difference import Resampled
from harness.statistics.intervals import Interval, t_quantile
from harness.statistics.resampling import bootstrap_scores
from harness.storage.predictions import ANSWER_KINDS, Answers, Array, Read, kind_of


@dataclass(frozen=True)
class Answered:
    """A cell's resampled scores, and the answers behind them: targets (N,), predictions (S, N)."""

    resampled: Resampled
    targets: Array
    predictions: Array


def answer_cells(cells: Sequence[Scored], read: Read, split: str) -> list[Answered | None]:
    """The cells of one comparison on the same resamples of their examples.

    A cell is None where predictions are missing or of other examples than the first cell's; all are where the metric
    can't be recomputed from predictions.
    """
    found = [_read_cell(scored, read, split) for scored in cells]
    reference = next((answers[0] for answers in found if answers), None)
    if reference is None or not reads(cells[0].metric, reference):
        return [None] * len(cells)
    usable = [bool(answers) and all(map(reference.same_examples, answers)) for answers in found]
    if not any(usable):
        return [None] * len(cells)
    runs = [run for answers, good in zip(found, usable, strict=True) if good for run in answers]
    predictions = np.stack([run.predictions for run in runs])
    replicates = bootstrap_scores(cells[0].metric, runs)
    result: list[Answered | None] = []
    start = 0
    for scored, good in zip(cells, usable, strict=True):
        rows = slice(start, start + len(scored.scores) * good)
        start = rows.stop
        scores = np.array(list(scored.scores.values()))
        resampled = Resampled(tuple(scored.scores), scores, replicates[:, rows], len(reference.targets))
        result.append(Answered(resampled, reference.targets, predictions[rows]) if good else None)
    return result


def reads(metric: Metric, answers: Answers) -> bool:
    """Whether a metric can be computed from such answers."""
    fits = kind_of(answers.targets) in {ANSWER_KINDS[kind] for kind in metric.kinds}
    return fits and all(getattr(answers, need) is not None for need in metric.needs)


def interval_over_examples(scored: Scored, read: Read, split: str) -> Interval:
    """The cell's mean with the 95 % interval of drawing other test examples, for seeds that all score the same.

    ``half_width`` is None where examples tell no variance: no predictions, or all resamples score the same.
    """
    (answered,) = answer_cells([scored], read, split)
    spread = float(answered.resampled.replicates.mean(axis=1).std(ddof=1)) if answered else 0.0
    if not answered or not spread:
        return replace(scored.interval, half_width=None)
    n = answered.resampled.n_examples
    return replace(scored.interval, half_width=float(t_quantile(n - 1)) * spread * (n / (n - 1)) ** 0.5)


def _read_cell(scored: Scored, read: Read, split: str) -> list[Answers]:
    """The answers of each run of a cell, or nothing if a run has none."""
    answers = [found for run in scored.runs if (found := read(run, split)) is not None]
    return answers if len(answers) == len(scored.runs) else []
