"""The metric contract: what the answers to a split are worth.

One file in harness/metrics/ (or an entry point in the group ``harness.metrics``) is one class. The shortest has a value
for each example, of which the metric is the mean::

    class Mae(Metric):
        \"\"\"Mean absolute error.\"\"\"

        source = "…"
        kinds = frozenset({"regression"})
        higher_is_better = False
        range = (0.0, math.inf)

        def per_example(self, answers):
            return np.abs(answers.targets - answers.predictions)

Others override ``compute``, and where a formula gives the value on all bootstrap resamples at once, ``resampled``.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessWarning, SpecError, unknown
from harness.core.info import TaskKind
from harness.core.plugins import Plugin, Registry
from harness.storage.predictions import AnswerPart

if TYPE_CHECKING:
    from harness.storage.predictions import Answers, Array


class Metric(Plugin):
    """A metric, computed from stored answers, so that a new one can be applied to old records."""

    kinds: ClassVar[frozenset[TaskKind]]
    """The kinds of task whose answers it reads."""
    higher_is_better: ClassVar[bool] = True
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """Lowest and highest value; tables show a metric as percent where both are finite, else as it is."""
    needs: ClassVar[frozenset[AnswerPart]] = frozenset()
    """What it reads beside targets and predictions."""

    def per_example(self, answers: "Answers") -> "Array | None":
        """The value of each example, shape (N,), where the metric is their mean; booleans are 0 and 1."""
        return None

    def compute(self, answers: "Answers") -> float:
        """The value over all answers, of which there is at least one; by default the mean of the examples' values.

        Raises:
            SpecError: answers that the metric is not defined for.
        """
        values = self.per_example(answers)
        if values is None:
            raise NotImplementedError(f"{type(self).__name__} has neither per_example nor compute")
        return float(np.mean(values))

    def resampled(self, answers: "Answers", counts: NDArray[np.float32]) -> NDArray[np.float64]:
        """The values on resamples of the examples: what ``compute`` gives on each, but faster where a formula allows.

        Args:
            answers: N of them.
            counts: How often each resample drew each example, shape (B, N); every row sums to N.

        Returns:
            Shape (B,).
        """
        drawn = (np.repeat(np.arange(len(row)), row.astype(int)) for row in counts)
        return np.array([self.compute(answers.at(places)) for places in drawn])

    def unfit(self, n_labels: int) -> str | None:
        """Why it can't judge a task with so many labels though it is of its kinds, in a sentence's end, or None."""
        return None

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """Why no prediction could earn a score on these targets, in a sentence's end, or None."""
        return None

    def check(self, answers: "Answers") -> None:
        """Whether there is what the metric reads.

        Raises:
            SpecError: no answer, or answers without what the metric needs.
        """
        if not len(answers.targets):
            raise SpecError(f"{self.name} needs at least one answer")
        for need in sorted(self.needs):
            if getattr(answers, need) is None:
                raise SpecError(f"{self.name} needs {need}, which these answers don't have")

    def judge(self, answers: "Answers") -> float:
        """The value over all answers, checked.

        Raises:
            SpecError: no answer, or answers without what the metric needs or is defined for.
        """
        self.check(answers)
        return float(self.compute(answers))

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1: the value times it is to be maximized."""
        return 1 if self.higher_is_better else -1

    @property
    def is_percent(self) -> bool:
        """Whether values are shown in percent."""
        return all(map(math.isfinite, self.range))


METRICS = Registry("metric", "harness.metrics", Metric)
"""Every metric: a file in harness/metrics/, or an entry point."""


def make_metric(name: str) -> Metric:
    """The metric of a name.

    Raises:
        SpecError: an unknown name.
    """
    return METRICS.make(name)


class Unregistered(Metric):
    """A metric that only records know: its direction is a guess, and no answers can be judged by it."""

    source = "records"
    kinds = frozenset()


@cache
def metric_named(name: str) -> Metric:
    """The metric of a record; one that is not installed here is ``Unregistered``, and a ``HarnessWarning`` says so."""
    if name in METRICS.names():
        return make_metric(name)
    text = f"metric {name!r} of some runs is not installed here: taken as one where higher is better, in percent"
    warnings.warn(text, HarnessWarning, stacklevel=2)
    unregistered: type[Metric] = type("Unregistered", (Unregistered,), {"name": name})
    return unregistered()


def metrics_of(kind: TaskKind) -> list[str]:
    """Names of the metrics that can judge a kind of task."""
    return [name for name in METRICS.names() if kind in make_metric(name).kinds]


def check_metrics(names: Iterable[str], kind: TaskKind, n_labels: int) -> None:
    """Whether metrics can judge a task.

    Raises:
        SpecError: a metric that is unknown, of another kind of task, or unfit for so many labels.
    """
    for name in names:
        allowed = metrics_of(kind)
        if name not in allowed:
            raise unknown(f"metric of {kind}", name, allowed)
        if reason := make_metric(name).unfit(n_labels):
            raise SpecError(f"metric {name} {reason}")
