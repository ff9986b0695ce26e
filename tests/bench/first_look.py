"""Differences at the first look of a race, when all have the same seeds: `python -m tests.bench.first_look RESULTS`.

Later looks can't be tested anew, as who has seeds there depends on scores. CSV on stdout: every pair of cells of a task
with its difference in percent, its 95 % interval, its p-value, and Holm's over all.
"""

import argparse
import csv
import sys
from pathlib import Path

from harness.cells.applied import needs_of
from harness.cells.race import find_races
from harness.search.record import find_studies
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.tables.page_data import report_data


def main(results: Path) -> None:
    """Print the pairs."""
    store = Store(results)
    first = {seed for race in find_races(results) for seed in race.seeds[: race.looks[0]]}
    records = [run for run in store.records() if run.spec.seed in first]
    data = report_data(records, reader(store, needs_of(records, None)), find_studies(results))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["task", "metric", "a", "b", "seeds", "points", "low", "high", "p", "holm"])
    for pair in data["pairs"]:
        mean, half = 100 * pair["difference"], 100 * pair["half_width"]
        points = [f"{value:.1f}" for value in (mean, mean - half, mean + half)]
        names = [pair[name] for name in ("task", "metric", "a", "b", "n")]
        writer.writerow([*names, *points, f"{pair['p']:.2g}", f"{pair['holm']:.2g}"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of the race")
    main(parser.parse_args().results)
