"""Synthetic records of methods as they are called here, and as large as they are."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.core.spec import digest
from harness.testing import records
from harness.testing.records import Effects, answers, draw_correct, write_run

__all__ = [
    "Effects",
    "answers",
    "draw_correct",
    "make_failed",
    "make_record",
    "write_amount",
    "write_grid",
    "write_run",
]

PARAMS = {"full": 22_700_000, "lora": 300_000, "adapters": 450_000, "prefix": 80_000, "zero_shot": 0}


def make_record(
    method: str = "lora", seed: int = 0, *, task: str = "sst2", base: str = "minilm", **changes: Any
) -> dict[str, Any]:
    """The plain data of a finished record; ``changes`` replace its top-level keys."""
    trainable = PARAMS.get(method, 200_000)
    return records.make_record(method, seed, task=task, base=base, trainable=trainable, **changes)


def make_failed(method: str, seed: int, status: str, reason: str | None, **where: Any) -> dict[str, Any]:
    """The plain data of a record without results."""
    empty = {"metrics": {}, "metrics_last": {}, "params": {}, "cost": {}, "curve": []}
    return make_record(method, seed, status=status, reason=reason, **where, **empty)


def write_amount(results: Path, method: str, seed: int, task: dict[str, int], n_train: int, accuracy: float) -> None:
    """Write a run that learned from so many examples, as fields of its task section say."""
    record = make_record(method, seed, accuracy=accuracy)
    record["spec"]["task"] |= task
    record["data"] |= {"sizes": {"train": n_train}, "fingerprint": f"{n_train}"}
    write_run(results, record | {"run_id": digest(record["spec"], 12)})


def write_grid(
    results: Path,
    skills: Mapping[str, float],
    *,
    tasks: Iterable[str] = ("sst2",),
    bases: Iterable[str] = ("minilm",),
    **options: Any,
) -> int:
    """Write the runs of a full grid, each with predictions; returns their number."""
    return records.write_grid(results, skills, tasks=tasks, bases=bases, trainable=PARAMS, **options)
