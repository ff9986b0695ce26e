"""The probes of one run, asked at their hooks so that they neither disturb it nor end it."""

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.core.errors import HarnessError
from harness.core.spec import merge
from harness.probe import PROBES, Measured, Phase, Probe, Subject, make_probe
from harness.runs.resolve import Resolved
from harness.training.ranks import ALONE, Ranks


def probes_of(run: Resolved) -> list[Probe]:
    """Fresh ones: those the spec asks for, then the standard ones, so that no other is part of what they measure."""
    asked = [make_probe(spec) for spec in run.spec.probes]
    others = set(PROBES.names()) - {spec.name for spec in run.spec.probes}
    return asked + [PROBES.make(name) for name in sorted(others) if PROBES.find(name).is_standard]


FAILED = object()
"""What a hook that raised gives."""


class Probing:
    """What a run's probes have given so far; of several processes the first one's alone.

    ``measured`` holds values by quantity, ``reasons`` why a quantity has none, ``seconds`` what each probe took,
    ``parts`` what standard probes put under the keys of a record.
    """

    def __init__(self, run: Resolved, ranks: Ranks = ALONE) -> None:
        self.measured: dict[str, Measured] = {}
        self.reasons: dict[str, str] = {}
        self.parts: dict[str, Any] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._probes: list[Probe] = []
        for probe in probes_of(run) if ranks.is_first else ():
            self._probes.append(probe)
            if reason := probe.skip(run.base, run.asked):
                self._drop(probe, reason)
            elif ranks.n > 1 and probe.is_of_process:
                self._drop(probe, f"{probe.name} measures one process; {ranks.n} trained this run")

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """A phase of the run; the last probe is innermost."""
        held: list[tuple[Probe, Any]] = []
        for probe in list(self._probes):
            manager: Any = probe.during(phase)
            if self._ask(probe, manager.__enter__) is not FAILED:
                held.append((probe, manager))
        try:
            yield
        finally:
            for probe, manager in reversed(held):
                self._ask(probe, partial(manager.__exit__, None, None, None))

    def before(self, subject: Subject) -> None:
        """Nothing is trained yet."""
        for probe in list(self._probes):
            with _unchanged(subject.model):
                self._ask(probe, partial(probe.before, subject))

    def after(self, subject: Subject) -> None:
        """The test is answered."""
        for probe in list(self._probes):
            with _unchanged(subject.model):
                self._give(probe, partial(probe.after, subject))

    def ended(self) -> None:
        """The run has ended, however it did."""
        for probe in list(self._probes):
            self._give(probe, probe.spent)

    def _give(self, probe: Probe, hook: Callable[[], Mapping[str, Any]]) -> None:
        self._ask(probe, lambda: self._take(probe, hook()))

    def _ask(self, probe: Probe, hook: Callable[[], Any]) -> Any:
        """What a hook of the probe gives; one that raises is asked no more, and its values are gone."""
        if probe not in self._probes:
            return FAILED
        started = time.perf_counter()
        try:
            with _random_state_kept():
                return hook()
        except Exception as error:
            is_told = isinstance(error, HarnessError)
            self._drop(probe, str(error) if is_told else f"{type(error).__name__}: {error}")
            return FAILED
        finally:
            self.seconds[probe.name] += time.perf_counter() - started

    def _drop(self, probe: Probe, reason: str) -> None:
        self._probes.remove(probe)
        for quantity in probe.quantities:
            self.measured.pop(quantity.name, None)
            self.reasons[quantity.name] = reason

    def _take(self, probe: Probe, values: Mapping[str, Any]) -> None:
        names = [quantity.name for quantity in probe.quantities]
        for name, value in values.items():
            if "." in name:
                *sections, key = name.split(".")
                part: Any = {key: value}
                for section in reversed(sections):
                    part = {section: part}
                self.parts = merge(self.parts, part)
            elif name not in names:
                raise ValueError(f"{name!r} is none of its quantities: {', '.join(names)}")
            else:
                self.measured[name] = _checked(name, value)


def _checked(name: str, value: Any) -> Measured:
    """The value with what is known of it, all of it finite."""
    measured = value if isinstance(value, Measured) else Measured(float(value))
    for number in (measured.value, *(measured.interval or ()), *measured.examples.values()):
        if not math.isfinite(number):
            raise ValueError(f"{name} is {number}")
    return measured


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """What is drawn inside is not missing outside."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Training mode and what requires gradients stand as before, and no gradients are left."""
    modes = {module: module.training for module in model.modules()}
    trained = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, requires_grad in trained.items():
            parameter.requires_grad_(requires_grad)
        model.zero_grad()
