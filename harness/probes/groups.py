"""Whether a model serves all groups of examples alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, model_validator

from harness.core.errors import SpecError
from harness.core.info import BaseInfo, TaskInfo
from harness.probe import Measured, Probe, Quantity, Subject, Values
from harness.statistics.intervals import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.storage.predictions import Answers


class Groups(Probe):
    """Accuracy and error rates of groups of test examples: by a column of a file, or by patterns that their texts have.

    Examples of no group, and groups of fewer than ``least`` examples, are left out.
    """

    source: ClassVar[str] = (
        "fairlearn.metrics; Hardt et al. 2016, https://arxiv.org/abs/1610.02413 (equalized odds); "
        "Sagawa et al. 2020, https://arxiv.org/abs/1911.08731 (worst group)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("group_accuracy_gap", "accuracy of the best group less that of the worst"),
        Quantity("worst_group_accuracy", "accuracy of the worst group", higher_is_better=True),
        Quantity("equalized_odds_difference", "largest gap of true or of false positive rates; of two labels"),
    )

    file: str = Field("", description="CSV, TSV, JSON lines or parquet with the task's texts and a column of groups.")
    column: str = Field("group", description="That column.")
    patterns: dict[str, str] = Field(
        {"he": r"\b(he|him|his)\b", "she": r"\b(she|her|hers)\b"},
        description="Group to a regular expression, where there is no file; an example of two groups is of none.",
    )
    least: int = Field(10, ge=2, description="Examples that a group needs.")

    @model_validator(mode="after")
    def _patterns_are_regular(self) -> "Groups":
        import re

        for name, pattern in self.patterns.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"patterns.{name} is no regular expression: {error}") from None
        return self

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Labels and choices are right or wrong."""
        is_able = task.kind in ("classification", "multiple_choice")
        return None if is_able else f"groups are compared by accuracy of labels or choices; this is {task.kind}"

    def files(self) -> list[str]:
        """That of the groups."""
        return [self.file] if self.file else []

    def after(self, subject: Subject) -> Values:
        """Of the answers to test."""
        from harness.probes._groups import by_pattern, from_file

        examples = {one.id: one for one in subject.splits["test"]}
        answers = subject.answers["test"]
        asked = [examples[name] for name in answers.example_ids.to_pylist()]
        groups = (
            from_file(self.file, self.column, subject.task, asked)
            if self.file
            else by_pattern(self.patterns, subject.task, asked)
        )
        return compare(answers, groups, self.least, len(subject.task.labels) == 2)


def compare(answers: "Answers", groups: Sequence[str | None], least: int, is_binary: bool) -> dict[str, Measured]:
    """The quantities of answers whose groups are known.

    Raises:
        SpecError: fewer than two groups are large enough.
    """
    from harness.statistics.measured import resampled

    names = np.array([group or "" for group in groups])
    sizes = {str(name): int((names == name).sum()) for name in np.unique(names) if name}
    large = [name for name, size in sizes.items() if size >= least]
    if len(large) < 2:
        raise SpecError(f"groups: two of {least} examples or more are needed; there are {sizes or 'none'}")
    kept = np.flatnonzero(np.isin(names, large))
    targets, predictions = answers.targets[kept], answers.predictions[kept]
    members = np.stack([names[kept] == name for name in large])
    right = (targets == predictions).astype(float)

    def odds(at: "NDArray[np.int64]") -> float:
        positive = predictions[at].astype(float)
        gaps = [np.ptp(means(positive, members[:, at] & (targets[at] == label))) for label in (0, 1)]
        return float(max(gaps))

    found = {
        "group_accuracy_gap": resampled(lambda at: float(np.ptp(means(right[at], members[:, at]))), len(kept)),
        "worst_group_accuracy": resampled(lambda at: float(means(right[at], members[:, at]).min()), len(kept)),
    }
    return found | ({"equalized_odds_difference": resampled(odds, len(kept))} if is_binary else {})


def means(values: Floats, members: "NDArray[np.bool_]") -> Floats:
    """The mean over each group, shape (G,), of values (N,) with members (G, N); 0 of a group without any."""
    return np.asarray((members * values).sum(axis=1) / np.maximum(1, members.sum(axis=1)))
