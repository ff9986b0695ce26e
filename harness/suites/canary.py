"""One tiny fixed run, whose result is known: when a new stack moves results, it moves this one first."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.cells.cells import device
from harness.core.errors import HarnessError
from harness.core.spec import parse_spec
from harness.metrics.nll import Nll

SPEC: Mapping[str, Any] = {
    "method": {"name": "lora", "dropout": 0.0},
    "base": {"name": "minilm", "max_length": 32, "dropout": 0.0},
    "task": {"name": "rotten_tomatoes", "train_limit": 64, "validation_limit": 32, "test_limit": 128},
    "training": {"precision": "fp32", "batch_size": 8, "max_steps": 8, "eval_every": 8, "learning_rate": 1e-3},
}
"""Without dropout, so that it draws the same on every device once it has begun."""
SAME_KIND, OTHER_KIND = 1e-4, 2e-2
"""Differences that count as none: of two threads on one kind of machine, and of two kinds."""


@dataclass(frozen=True)
class Canary:
    """What came out, and what should have: nats of the training loss and of the test's targets.

    ``kind`` is the machine of the reference, ``tolerance`` follows from whether that is this kind.
    """

    ours: Mapping[str, float]
    reference: Mapping[str, float]
    kind: str
    stack: str
    tolerance: float

    @property
    def drift(self) -> float:
        """The largest difference."""
        return max(abs(self.ours[name] - value) for name, value in self.reference.items())

    @property
    def is_alive(self) -> bool:
        """Whether results are where they were."""
        return self.drift <= self.tolerance


def canary() -> Canary:
    """Make the run anew and compare.

    Raises:
        HarnessError: its base or data can't be had, or the run failed.
    """
    kind, ours = run_canary()
    known = references()
    nearest = kind if kind in known else next(iter(known))
    entry = dict(known[nearest])
    stack = entry.pop("stack")
    return Canary(ours, entry, nearest, stack, SAME_KIND if nearest == kind else OTHER_KIND)


def run_canary() -> tuple[str, dict[str, float]]:
    """This machine's kind and what it gets.

    Raises:
        HarnessError: there is no result.
    """
    from harness.runs.run import run
    from harness.storage.predictions import reader
    from harness.storage.store import Store

    with tempfile.TemporaryDirectory() as folder:
        record = run(parse_spec(dict(SPEC)), Path(folder))
        if record.status != "ok":
            raise HarnessError(f"the canary's run is {record.status}: {record.reason}")
        answers = reader(Store(Path(folder)), Nll.needs)(record, "test")
    assert answers
    return device(record), {"train_loss": record.curve[-1]["train_loss"], "test_nll": Nll().compute(answers)}


def references() -> dict[str, dict[str, Any]]:
    """By kind of machine."""
    found: dict[str, dict[str, Any]] = json.loads((files("harness.benchmarks.anchors") / "canary.json").read_text())
    return found
