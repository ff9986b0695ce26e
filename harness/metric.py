"""The metric contract: what the answers to a split are worth."""

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.core.info import TaskKind
from harness.core.plugins import Plugin, Registry

if TYPE_CHECKING:
    from harness.storage.predictions import Answers

Need = Literal["scores", "groups"]


class Metric(Plugin):
    """A metric, computed from stored predictions, so that a new one can be applied to old records."""

    kinds: ClassVar[frozenset[TaskKind]]
    """The kinds of task whose answers it reads."""
    higher_is_better: ClassVar[bool] = True
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """Lowest and highest value; tables show a metric as percent where both are finite."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """What it reads beside targets and predictions."""

    def compute(self, answers: "Answers") -> float:
        """The value over all answers.

        Raises:
            SpecError: answers that the metric is not defined for.
        """
        raise NotImplementedError


METRICS = Registry("metric", "harness.metrics", Metric)
"""Every metric: a file in harness/metrics/, or an entry point."""
