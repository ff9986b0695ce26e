"""A race against all seeds of the same real cells: `python -m tests.bench.race_replay FILE --results FOLDER`.

Runs every cell of a suite with a [race] section on every seed, as the suite without that section would, or takes what
the folder has. Then the race is replayed over these runs, which asks for some of them only, and its verdicts are put
beside those of all seeds. The seeds are also put into other orders, each of which is another race over the same runs.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.cells.applied import needs_of
from harness.cells.looks import replay
from harness.cells.race import RacedComparison, RaceRecord
from harness.core.seeds import derive
from harness.executors.local import Local
from harness.storage.predictions import Read, reader
from harness.storage.record import Record
from harness.storage.store import Store
from harness.suites.plan import plan
from harness.suites.race import Race
from harness.suites.suite import Suite, expand, read_suite

NONE = "not compared"
ORDERS = 20
"""Orders of the seeds that are raced beside the suite's own."""


def run_all(suite: Suite, results: Path, workers: int) -> list[RaceRecord]:
    """The races of a suite, after all its cells were run on all seeds."""
    planned = plan(expand(suite), Store(results))
    jobs = [job for cell in planned if (job := cell.job)]
    for event in Local(workers=workers).run(jobs, results):
        if event.has_ended:
            print(event.job.label, event.job.spec.seed, flush=True)
    return Race(suite, planned, results).now()


def reordered(race: RaceRecord, order: Sequence[int]) -> RaceRecord:
    """The race with its seeds in another order."""
    comparisons = [
        each.model_copy(
            update={
                "cells": [
                    cell.model_copy(update={"run_ids": [cell.run_ids[place] for place in order]}) for cell in each.cells
                ]
            }
        )
        for each in race.comparisons
    ]
    return race.model_copy(update={"comparisons": comparisons, "seeds": [race.seeds[place] for place in order]})


def compare(race: RaceRecord, runs: dict[str, Record], read: Read) -> dict[str, Any]:
    """What the race made and found beside all seeds at once, which are a race with one look."""
    raced, at_once = (
        replay(each, runs.get, read) for each in (race, race.model_copy(update={"looks": race.looks[-1:]}))
    )
    made = [
        runs[run_id] for each in raced.comparisons for cell in each.cells for run_id in cell.run_ids[: cell.n_seeds]
    ]
    every = [runs[run_id] for run_id in race.run_ids]
    verdicts = Counter(
        f"{'worse' if ours.standing == 'worse' else 'open'} by the race, "
        f"{'worse' if theirs.standing == 'worse' else 'open'} by all seeds"
        for one, other in zip(raced.comparisons, at_once.comparisons, strict=True)
        for ours, theirs in zip(one.cells, other.cells, strict=True)
    )
    return {
        "runs": len(made),
        "of": len(every),
        "train_seconds": sum(run.cost.train_seconds for run in made),
        "train_seconds_of_all": sum(run.cost.train_seconds for run in every),
        "verdicts": dict(verdicts),
        "cells": [_rows(*pair) for pair in zip(raced.comparisons, at_once.comparisons, strict=True)],
    }


def _rows(raced: RacedComparison, at_once: RacedComparison) -> dict[str, Any]:
    """The cells of a comparison by both."""
    rows = {
        ours.label: f"{ours.standing or NONE} after {ours.n_seeds} seeds; by all seeds: {theirs.standing or NONE}"
        for ours, theirs in zip(raced.cells, at_once.cells, strict=True)
    }
    return {"setting": ", ".join(raced.setting.values()), "end": raced.end, "look": raced.look, **rows}


def main(file: Path, results: Path, workers: int, out: Path | None) -> None:
    """Run, replay, print, keep."""
    races = run_all(read_suite(file), results, workers)
    runs = {record.run_id: record for record in Store(results).records()}
    read = reader(Store(results), needs_of(runs.values(), None))
    found: dict[str, Any] = {}
    for race in races:
        orders = [
            np.random.default_rng(derive(order, "order of seeds")).permutation(len(race.seeds)).tolist()
            for order in range(ORDERS)
        ]
        others = [compare(reordered(race, order), runs, read) for order in orders]
        found[race.name] = compare(race, runs, read) | {
            "other orders": {
                "orders": ORDERS,
                "runs": float(np.mean([other["runs"] for other in others])),
                "verdicts": dict(sum((Counter(other["verdicts"]) for other in others), Counter())),
            }
        }
    text = json.dumps(found, indent=1)
    print(text)
    if out:
        out.write_text(text + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="suite with a [race] section")
    parser.add_argument("--results", type=Path, required=True, help="folder of its runs")
    parser.add_argument("--workers", type=int, default=1, help="local processes")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    main(options.file, options.results, options.workers, options.out)
