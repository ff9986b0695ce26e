"""The cost of a verdict between seven methods, each tuned over its learning rate: `python -m tests.bench.verdict_cost`.

Three ways to the same decision, at an error of 5 %, on the same examples, rates and seeds:

- raced: hopeless trials end early (Hyperband), and the winners race on fresh seeds;
- grid: every trial to its end, and the winners on all seeds, by the harness too;
- script: the same runs by the Trainer script of `tests.bench.trainer_script`, one command each. Every method that the
  script has is run once, the others are taken to need LoRA's seconds; its seconds are those times its runs. Its runs
  would be tested as the grid's are, so it has the grid's verdict.

Seconds of training are those of the runs' own clocks; of a pruned trial, which leaves no record, all its seconds. Whole
seconds are those of everything, of the script with the start of each command.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cells.applied import needs_of
from harness.cells.looks import replay
from harness.cells.race import RacedComparison
from harness.core.spec import RunSpec
from harness.executor import Job
from harness.executors.local import Local
from harness.method import METHODS
from harness.search.record import StudyRecord
from harness.search.spec import Pruner
from harness.storage.predictions import reader
from harness.storage.record import Record
from harness.storage.store import Store
from harness.suites.plan import plan
from harness.suites.race import Race
from harness.suites.suite import Suite, expand_studies, parse_suite
from harness.suites.tune import find_study, study_jobs, winners
from tests.bench.contestants import race, sentences
from tests.bench.speed import EPOCHS, hardware

SEVEN = ("lora", "adalora", "adapters", "prefix", "full", "last_layers", "zero_shot")


@dataclass(frozen=True)
class Size:
    """How much is run; ``trials`` of a search are the published rate and points spread over the method's range."""

    methods: tuple[str, ...]
    looks: tuple[int, ...]
    trials: int
    n_train: int
    n_validation: int
    n_test: int
    epochs: int


SIZES = {
    "toy": Size(("lora", "last_layers"), (2, 3), 2, 16, 8, 16, 1),
    "usual": Size(SEVEN, (3, 5, 8), 4, 200, 200, 500, 3),
}


@dataclass(frozen=True)
class Cost:
    """What one way took (finished runs by method), and what it decided."""

    runs: dict[str, int]
    train_seconds: float
    whole_seconds: float
    verdict: str


def suite(size: Size, pruner: Pruner) -> Suite:
    """The methods at their published settings, but for the rate."""
    seeds = list(range(1, size.looks[-1] + 1))
    task = {"train_limit": size.n_train, "validation_limit": size.n_validation, "test_limit": size.n_test}
    return parse_suite(
        {
            "tasks": [sentences()],
            "seeds": seeds,
            "worth_claiming": 0.04,
            "race": {"looks": list(size.looks)},
            "search": {"trials": size.trials, "sampler": "qmc", "pruner": pruner, "seeds": [0]},
            "base": {"max_length": 64},
            "task": task,
            "training": {"epochs": size.epochs, "batch_size": 16, "eval_every": 13},
            "methods": {name: METHODS.find(name)().model_dump(mode="json") for name in size.methods},
        }
    )


def harness(size: Size, pruner: Pruner, is_raced: bool, results: Path) -> Cost:
    """Tune, then decide between the winners on fresh seeds."""
    started = time.monotonic()
    asked = suite(size, pruner)
    assert asked.search
    cells = expand_studies(asked)
    do(study_jobs(cells, asked.search, results), results)
    studies = [study for cell in cells if (study := find_study(cell, asked.search, results))]
    assert len(studies) == len(cells)
    planned = plan(winners(asked, cells, results), Store(results))
    among = Race(asked, planned, results)
    for part in among.rounds() if is_raced else [planned]:
        do([job for cell in part if (job := cell.job)], results)
    whole_seconds = time.monotonic() - started
    records = {record.run_id: record for record in Store(results).records()}
    [decided] = among.now()
    if not is_raced:
        read = reader(Store(results), needs_of(records.values(), None))
        decided = replay(decided.model_copy(update={"looks": [size.looks[-1]]}), records.get, read)
    runs = Counter(record.spec.method.name for record in records.values())
    return Cost(dict(runs), train_seconds(records.values(), studies), whole_seconds, told(decided.comparisons[0]))


def do(jobs: Sequence[Job], results: Path) -> None:
    """Do jobs in one worker, which shares what runs have in common."""
    for event in Local(workers=1).run(jobs, results):
        if event.has_ended:
            assert event.problem is None, event.problem
            print(event.job.label, event.job.spec.seed, flush=True)


def train_seconds(records: Iterable[Record], studies: Iterable[StudyRecord]) -> float:
    """Of all runs, and of trials that were pruned."""
    pruned = [trial.seconds for study in studies for trial in study.trials if trial.status == "pruned"]
    return sum(record.cost.train_seconds for record in records) + sum(pruned)


def told(comparison: RacedComparison) -> str:
    """Which methods may be the best, and which are worse."""
    by_standing: dict[str, list[str]] = {}
    for cell in comparison.cells:
        by_standing.setdefault(cell.standing or "not compared", []).append(cell.label.removesuffix(" (tuned)"))
    return "; ".join(f"{standing}: {', '.join(labels)}" for standing, labels in sorted(by_standing.items()))


def script(size: Size, grid: Cost) -> Cost:
    """The runs of the grid by the script, of each method that trains."""
    runs = {name: n for name, n in grid.runs.items() if METHODS.find(name).trains}
    measured = {name: race(spec_of(size, name), "default") for name in runs if name in EPOCHS}
    found = {name: measured.get(name, measured["lora"]) for name in runs}
    return Cost(
        runs=runs,
        train_seconds=sum(n * found[name]["train_seconds"] for name, n in runs.items()),
        whole_seconds=sum(n * found[name]["command_seconds"] for name, n in runs.items()),
        verdict=f"{grid.verdict} (not run: the grid's)",
    )


def spec_of(size: Size, method: str) -> RunSpec:
    """A run of the grid."""
    return next(cell.spec for cell in expand_studies(suite(size, "none")) if cell.spec.method.name == method)


def show(costs: dict[str, Cost]) -> None:
    """The ways side by side."""
    script_seconds = costs["script"].train_seconds
    for name, cost in costs.items():
        share = cost.train_seconds / script_seconds
        print(
            f"{name:8} {sum(cost.runs.values()):4} runs  {cost.train_seconds:8.1f} s of training "
            f"({share:.2f} of the script's)  {cost.whole_seconds:8.1f} s in all  {cost.verdict}"
        )


def main(size: str, out: Path | None) -> None:
    """Decide in three ways, print, keep."""
    with tempfile.TemporaryDirectory() as folder:
        raced = harness(SIZES[size], "hyperband", True, Path(folder, "raced"))
        grid = harness(SIZES[size], "none", False, Path(folder, "grid"))
    costs = {"raced": raced, "grid": grid, "script": script(SIZES[size], grid)}
    show(costs)
    if out:
        found: dict[str, Any] = {name: vars(cost) for name, cost in costs.items()}
        out.write_text(json.dumps(found | {"size": size, "hardware": hardware()}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="usual", help="how much is run")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    main(options.size, options.out)
