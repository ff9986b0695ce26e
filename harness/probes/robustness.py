"""What answers lose when texts are changed and their meaning is not."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.metric import make_metric
from harness.probe import Measured, Probe, Quantity, Subject, Values
from harness.probes._perturbations import KINDS, perturbed
from harness.probes._texts import with_texts
from harness.statistics.measured import resampled
from harness.storage.predictions import Answers
from harness.task import Example

DROP = "share of the primary metric lost"


class Robustness(Probe):
    """The primary metric on test texts with typos, capitals, other punctuation and tautologies added.

    The same texts are changed alike for every method and seed. A drop is the metric's on the same examples, divided by
    what it was: 0.1 is a tenth of it.
    """

    source: ClassVar[str] = (
        "Naik et al. 2018, https://aclanthology.org/C18-1198 (length, negation); "
        "Belinkov and Bisk 2018, https://arxiv.org/abs/1711.02173 (typos)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("typos_drop", f"{DROP} where inner letters of words change places"),
        Quantity("case_drop", f"{DROP} where words are in capitals"),
        Quantity("punctuation_drop", f"{DROP} where punctuation is taken away and other put in"),
        Quantity("length_drop", f"{DROP} where 'and true is true' is added"),
        Quantity("negation_drop", f"{DROP} where 'and false is not true' is added"),
    )

    severity: int = Field(2, ge=1, le=3, description="1, 2, 3: a tenth, 3 or 6 tenths of the words; as many additions.")
    n_examples: int = Field(200, ge=2, description="Test examples that are changed.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Tags belong to the words that they were given for."""
        return "the words of a tagging task can't be changed" if task.kind == "token_classification" else None

    def after(self, subject: Subject) -> Values:
        """Of each kind of change, where there was something to lose."""
        examples = subject.splits["test"][: self.n_examples]
        plain = subject.answer(examples)
        found = {f"{kind}_drop": self._drop(subject, plain, examples, kind) for kind in KINDS}
        return {name: drop for name, drop in found.items() if drop is not None}

    def _drop(self, subject: Subject, plain: Answers, examples: Sequence[Example], kind: str) -> Measured | None:
        metric = make_metric(subject.task.metrics[0])
        changed = subject.answer(
            [with_texts(subject.task, one, lambda text: perturbed(text, kind, self.severity)) for one in examples]
        )
        before = metric.judge(plain)
        if before == 0:
            return None
        return resampled(
            lambda at: metric.sign * (metric.judge(plain.at(at)) - metric.judge(changed.at(at))) / abs(before),
            len(examples),
        )
