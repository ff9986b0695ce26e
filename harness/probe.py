"""The probe contract: whatever is measured of a run beside its primary metric."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.info import BaseInfo, TaskInfo
from harness.core.plugins import Plugin, Registry
from harness.core.spec import ProbeSpec

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from harness.storage.record import Record

Phase = Literal["load", "tokenize", "train", "eval"]
Unit = Literal["", "s", "B", "J", "g", "tokens/s"]
"""Of a quantity: a share or a plain number, seconds, bytes, joules, grams, tokens a second; counts have none."""


@dataclass(frozen=True)
class Quantity:
    """A number that a probe gives, under one name in tables, figures, searches and the page.

    Args:
        name: Unique over all probes, with its unit as a suffix.
        description: One phrase.
        unit: Of the value as it is stored.
        higher_is_better: The direction of improvement.
        read: Where a record has it; default: under its name in ``measured``.
    """

    name: str
    description: str
    unit: Unit = ""
    higher_is_better: bool = False
    read: "Callable[[Record], float | None] | None" = None

    def of(self, record: "Record") -> float | None:
        """The value in a record, or None where it was not measured."""
        value = self.read(record) if self.read else record.measured.get(self.name)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Subject:
    """An adapted model under examination.

    ``answer`` gives the model's answers to any examples of the task, as at test; ``judged`` has the test's, once it is
    known. ``adapter`` is the folder of what was trained, if anything.
    """

    model: "nn.Module"
    base: BaseInfo
    task: TaskInfo
    seed: int
    answer: Callable[[Sequence[Any]], Sequence[Any]]
    judged: Mapping[str, Any]
    adapter: "Path | None"


class Probe(Plugin):
    """Something to be measured; state between hooks belongs in private attributes."""

    quantities: ClassVar[tuple[Quantity, ...]]
    is_standard: ClassVar[bool] = False
    """Whether every run has it; others are asked for by name."""

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Held while a phase of the run lasts; validations are phases inside ``train``."""
        yield

    def before(self, subject: Subject) -> None:
        """Called when the method is applied and nothing is trained yet."""

    def after(self, subject: Subject) -> dict[str, float]:
        """The values by name of quantity, of the chosen checkpoint."""
        return {}


PROBES = Registry("probe", "harness.probes", Probe)
"""Every probe: a file in harness/probes/, or an entry point."""


def make_probe(spec: ProbeSpec) -> Probe:
    """The probe with its settings.

    Raises:
        SpecError: an unknown probe, or every field that is wrong.
    """
    return PROBES.make(spec.name, spec.settings, prefix=f"probe.{spec.name}")
