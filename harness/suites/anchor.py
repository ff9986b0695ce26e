"""Published numbers beside our own: what an anchor is, and what came out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from harness.core.errors import SpecError, unknown
from harness.core.spec import Section, describe
from harness.core.toml import read_toml
from harness.measure.hardware import has_nvidia_gpu
from harness.statistics.intervals import Interval, mean_interval
from harness.storage.record import Record
from harness.suites.suite import Suite, parse_suite

Word = Literal["reproduced", "not reproduced", "not comparable"]


class Anchor(Section):
    """A published number, and the suite whose mean test score should equal it."""

    title: str = Field(description="What was measured.")
    source: str = Field(description="Who says so.")
    published: float = Field(description="The number, as a share where it is one.")
    metric: str = Field(description="Of the task.")
    tolerance: float = Field(gt=0, description="The largest difference that counts as the same.")
    test_examples: int = Field(gt=1, description="That the published number is of.")
    protocol: str = Field(description="Split, selection, training and seeds, as they are here.")
    not_comparable: str | None = Field(None, description="Why ours can't be the same, where it can't.")
    gpu_hours: float | None = Field(None, gt=0, description="About what it takes; computed only where a GPU is.")
    suite: dict[str, Any] = Field(description="What is run.")

    @property
    def runs(self) -> Suite:
        """The suite, checked."""
        return parse_suite(self.suite)


@dataclass(frozen=True)
class Verdict:
    """What came out of an anchor: our mean with its 95 % interval over draws, and why the word."""

    word: Word
    why: str
    ours: Interval | None = None


def anchors() -> dict[str, Anchor]:
    """Every anchor by its name: a TOML file in benchmarks/anchors/."""
    folder = Path(str(files("harness.benchmarks.anchors")))
    return {file.stem: _read(file) for file in sorted(folder.glob("*.toml"))}


def _read(file: Path) -> Anchor:
    try:
        return Anchor.model_validate(read_toml(file))
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, Anchor, prefix=file.name))) from None


def find_anchors(names: Sequence[str]) -> dict[str, Anchor]:
    """Those of these names, or all.

    Raises:
        SpecError: a name is none of an anchor.
    """
    known = anchors()
    for name in names:
        if name not in known:
            raise unknown("anchor", name, known)
    return {name: known[name] for name in names or known}


def why_not_here(anchor: Anchor) -> str | None:
    """Why the number is not computed on this machine, if it is not."""
    if anchor.gpu_hours and not has_nvidia_gpu():
        return f"about {anchor.gpu_hours:g} hours of a GPU, and none is here"
    return anchor.not_comparable


def judge_anchor(anchor: Anchor, records: Sequence[Record], missing: str | None) -> Verdict:
    """Compare the mean of the runs with the number.

    Args:
        anchor: The number.
        records: The runs that ended.
        missing: Why some did not, if so.
    """
    problem = anchor.not_comparable or missing or next((r.reason for r in records if r.status != "ok"), None)
    if problem or not records:
        return Verdict("not comparable", problem or "nothing was run")
    ours = mean_interval([record.metrics[f"test/{anchor.metric}"] for record in records])
    drawn, told = _drawn(anchor, ours.mean, records[0].data.sizes.get("test", anchor.test_examples))
    margin = max(anchor.tolerance, math.hypot(ours.half_width or 0.0, drawn))
    difference = ours.mean - anchor.published
    word: Word = "reproduced" if abs(difference) <= margin else "not reproduced"
    return Verdict(word, f"{difference:+.4f}, where {margin:.4f} counts as the same{told}", ours)


def _drawn(anchor: Anchor, share: float, asked: int) -> tuple[float, str]:
    """Half-width of the 95 % interval of a share that comes from asking fewer examples than were published, and a note.

    Of sampling without replacement, with the normal approximation; 0 where the metric is no share of answers.
    """
    left = 1 - asked / anchor.test_examples
    if left <= 0:
        return 0.0, ""
    half = 1.96 * math.sqrt(share * (1 - share) / asked * left) if anchor.metric == "accuracy" else 0.0
    return half, f"; {asked:,} of {anchor.test_examples:,} test examples"
