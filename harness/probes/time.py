"""Wall-clock time by phase."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

from pydantic import PrivateAttr

from harness.core.errors import SpecError
from harness.measure.phases import PhaseMeter
from harness.probe import Phase, Probe, Quantity
from harness.recipe import passes_of

if TYPE_CHECKING:
    from harness.storage.record import Record

PARTS: tuple[Phase, ...] = ("load", "tokenize", "train", "eval")
"""Phases whose seconds a record has."""


def _passes(run: "Record") -> float | None:
    """Those of its recipes, which multiply a step's work; None where nothing was trained, or a recipe is not known."""
    with suppress(SpecError):
        return passes_of(run.spec) if run.curve else None
    return None


def _pretrain_seconds(run: "Record") -> float | None:
    return run.cost.pretrain_seconds or None


def _pass_seconds(run: "Record") -> float | None:
    passes = _passes(run)
    return run.cost.train_seconds / passes if passes else None


class Time(Probe):
    """Seconds of each phase, those of phases inside it not counted."""

    source: ClassVar[str] = "time.perf_counter, https://docs.python.org/3/library/time.html#time.perf_counter"
    is_standard: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("train_seconds", "training without its validations", "s", read=lambda run: run.cost.train_seconds),
        Quantity("eval_seconds", "all validations and the tests", "s", read=lambda run: run.cost.eval_seconds),
        Quantity("pretrain_seconds", "pretraining before it, also if cached", "s", read=_pretrain_seconds),
        Quantity("passes", "passes of a training step, as a multiple of plain training's", read=_passes),
        Quantity("pass_seconds", "train_seconds divided by passes", "s", read=_pass_seconds),
    )

    _meter: PhaseMeter[Phase] = PrivateAttr(default_factory=lambda: PhaseMeter(time.perf_counter))

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Stop the clock of the phase around this one meanwhile."""
        with self._meter.during(phase):
            yield

    def spent(self) -> dict[str, float]:
        """The seconds under the record's keys."""
        seconds = self._meter.spent
        parts = {f"cost.{phase}_seconds": seconds[phase] for phase in PARTS if phase in seconds}
        return parts | {"cost.total_seconds": sum(seconds.values())}
