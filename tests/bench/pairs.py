"""Pairs of a comparison that differ in one thing: `python -m tests.bench.pairs RESULTS [--vary label,quantization]`.

CSV on stdout: of each task the pairs of cells that differ in one of the fields, with the difference in percent over the
seeds that both have, its 95 % interval over seeds and test examples, its p-value, and Holm's over all pairs that differ
in the same field.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

from harness.cells.applied import needs_of
from harness.cells.cells import Layout, group, lookup
from harness.cells.pairs import PairTest, compare_pairs
from harness.cells.scores import Measure
from harness.statistics.intervals import holm
from harness.storage.predictions import reader
from harness.storage.store import Store

SEPARATOR = ", "


def main(results: Path, fields: list[str]) -> None:
    """Print the pairs."""
    store = Store(results)
    records = [run for run in store.records() if run.status == "ok"]
    comparisons = group(records, Layout(rows=(*fields,), columns=("task",), competing=(*fields,)))
    read = reader(store, needs_of(records, None))
    found = compare_pairs(
        comparisons, lambda run: SEPARATOR.join(str(lookup(run, field)) for field in fields), Measure(), read
    )
    families: defaultdict[str, list[PairTest]] = defaultdict(list)
    for pair in sorted(found, key=lambda pair: (pair.setting, pair.a, pair.b)):
        values = zip(fields, pair.a.split(SEPARATOR), pair.b.split(SEPARATOR), strict=True)
        differing = [field for field, a, b in values if a != b]
        if len(differing) == 1:
            families[differing[0]].append(pair)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["differ in", "task", "a", "b", "seeds", "points", "low", "high", "p", "holm"])
    for family, pairs in sorted(families.items()):
        adjusted = holm([pair.difference.p_value for pair in pairs])
        for pair, corrected in zip(pairs, adjusted, strict=True):
            mean, half = 100 * pair.difference.mean, 100 * pair.difference.half_width
            points = [f"{value:.1f}" for value in (mean, mean - half, mean + half)]
            seeds = pair.difference.uncertainty.n_seeds
            p_values = [f"{pair.difference.p_value:.2g}", f"{corrected:.2g}"]
            writer.writerow([family, *pair.setting, pair.a, pair.b, seeds, *points, *p_values])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of the runs")
    parser.add_argument("--vary", default="label,quantization", help="what cells differ in")
    given = parser.parse_args()
    main(given.results, given.vary.split(","))
