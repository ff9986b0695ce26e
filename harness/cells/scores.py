"""Which number of a record is compared, and the cells that have it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.cells.cells import Cell, Comparison
from harness.cells.choices import Checkpoint
from harness.cells.folds import replicate
from harness.metric import Metric, metric_named
from harness.statistics.intervals import Interval, mean_interval
from harness.storage.record import Record


@dataclass(frozen=True)
class Measure:
    """A metric (None: each task's primary one) of a split, or of a task out of domain; at the checkpoint chosen on
    validation or at the last."""

    metric: str | None = None
    split: str = "test"
    checkpoint: Checkpoint = "chosen"

    def of(self, run: Record) -> float | None:
        """The value in a record, or None where it has none."""
        values = run.metrics if self.checkpoint == "chosen" else run.metrics_last
        return values.get(f"{self.split}/{self.metric or run.primary_metric}")


@dataclass(frozen=True)
class Scored:
    """A cell, and its metric by seed (in cross-validation by ``replicate``) for the runs that have one."""

    cell: Cell
    metric: Metric
    scores: Mapping[int, float]

    @property
    def runs(self) -> list[Record]:
        """The runs behind the scores, in the same order."""
        return [run for run in self.cell.ok if replicate(run) in self.scores]

    @property
    def is_whole(self) -> bool:
        """Whether every run of the cell ended well and has the metric."""
        return len(self.scores) == len(self.cell.runs)

    @property
    def is_finite(self) -> bool:
        """Whether the mean and its spread are finite numbers, without which nothing can be compared."""
        return math.isfinite(self.interval.mean) and math.isfinite(self.interval.sd or 0.0)

    @property
    def merit(self) -> float:
        """The mean, so that higher is better."""
        return self.metric.sign * self.interval.mean

    @cached_property
    def interval(self) -> Interval:
        """Mean over the seeds, with its interval."""
        return mean_interval(list(self.scores.values()), self.overlap)

    @property
    def overlap(self) -> float:
        """Test examples of a fold over those it learns from, with which it selects too; 0 without cross-validation."""
        folds = self.cell.runs[0].spec.task.folds
        return 1 / (folds - 1) if folds else 0.0


def score_cells(comparison: Comparison, measure: Measure) -> list[Scored]:
    """The cells of a comparison that have the metric."""
    result = []
    for cell in comparison.cells:
        scores = {replicate(run): value for run in cell.ok if (value := measure.of(run)) is not None}
        if scores:
            result.append(Scored(cell, metric_named(measure.metric or cell.ok[0].primary_metric), scores))
    return result
