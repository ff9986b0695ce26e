"""What a user says that a model must do: pairs of texts, and what may differ between their answers."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.metrics._probabilities import log_probabilities
from harness.probe import Measured, Probe, Quantity, Subject, Values
from harness.probes._pairs import Pair, read_pairs
from harness.statistics.measured import mean_of

KINDS = ("invariance", "directional", "contrast")


class Checklist(Probe):
    """Pairs of texts from a file of JSON lines: invariance, directional and contrast tests.

    A line has ``test``, ``text`` and ``changed``. ``invariance``: both are answered alike. ``directional``, with
    ``label`` and ``direction`` up or down: the label's probability does not move the other way. ``contrast``, with the
    labels ``target`` and ``changed_target``: both are answered right.
    """

    source: ClassVar[str] = (
        "Ribeiro et al. 2020, https://arxiv.org/abs/2005.04118; Gardner et al. 2020, https://arxiv.org/abs/2004.02709"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("invariance_failures", "share of pairs answered differently that must not be"),
        Quantity("directional_failures", "share of pairs whose label's probability moved the wrong way"),
        Quantity("contrast_failures", "share of pairs of which not both are answered right"),
    )

    file: str = Field(description="JSON lines of test, text, changed, and label, direction, target, changed_target.")
    tolerance: float = Field(0.1, ge=0, lt=1, description="What a probability may move the wrong way, as in the paper.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Labels are compared."""
        return None if task.kind == "classification" else f"a checklist needs labels; this is {task.kind}"

    def files(self) -> list[str]:
        """The pairs."""
        return [self.file]

    def after(self, subject: Subject) -> Values:
        """Of each kind of test that the file has."""
        pairs = read_pairs(self.file, subject.task)
        answers = [subject.answer([getattr(pair, side) for pair in pairs]) for side in ("text", "changed")]
        predictions = [answer.predictions for answer in answers]
        probabilities = [np.exp(log_probabilities(answer)) for answer in answers]
        found: dict[str, Measured] = {}
        for kind in KINDS:
            places = [place for place, pair in enumerate(pairs) if pair.test == kind]
            failed = [self._fails(pairs[at], *[of[at] for of in (*predictions, *probabilities)]) for at in places]
            if places:
                found[f"{kind}_failures"] = mean_of(list(map(float, failed)), [pairs[at].text.id for at in places])
        return found

    def _fails(self, pair: Pair, first: int, second: int, before: Any, after: Any) -> bool:
        if pair.test == "invariance":
            return bool(first != second)
        if pair.test == "contrast":
            return bool((first, second) != (pair.text.target, pair.changed.target))
        moved = float(after[pair.label] - before[pair.label])
        return moved < -self.tolerance if pair.direction == "up" else moved > self.tolerance
