"""What probes found, method against method, and what they cost: `python -m tests.bench.beyond RESULTS --out FOLDER`.

Writes beyond_pairs.csv: of each base, task and quantity (in its own unit) every pair of methods, with the mean
difference over the seeds that both have, its 95 % t-interval, the p-value of the paired t-test, and Holm's over the
pairs of that quantity. And beyond_costs.md: seconds of each probe beside those of the run.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from scipy import stats

from harness.probe import probes_by_quantity, quantities
from harness.statistics.intervals import holm, mean_interval
from harness.storage.record import Record
from harness.storage.store import Store

HEAD = ["base", "task", "quantity", "a", "b", "seeds", "difference", "low", "high", "p", "holm"]


def main(results: Path, out: Path) -> None:
    """Write both."""
    runs = [run for run in Store(results).records() if run.status == "ok"]
    asked = ["quality", *(name for name, probe in probes_by_quantity().items() if not probe.is_standard)]
    settings: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for run in runs:
        settings[run.spec.base.name, run.spec.task.name].append(run)
    with (out / "beyond_pairs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for (base, task), of_setting in sorted(settings.items()):
            for name in asked:
                writer.writerows([base, task, name, *pair] for pair in pairs(values(of_setting, name)))
    (out / "beyond_costs.md").write_text(costs(runs), encoding="utf-8")


def values(runs: Sequence[Record], name: str) -> dict[str, dict[int, float]]:
    """Method → seed → a quantity, or the primary metric on test."""
    found: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for run in runs:
        value = run.metrics[f"test/{run.primary_metric}"] if name == "quality" else quantities()[name].of(run)
        if value is not None:
            found[run.label][run.spec.seed] = value
    return dict(sorted(found.items()))


def pairs(by_method: dict[str, dict[int, float]]) -> Iterator[list[str]]:
    """Every two methods with two seeds in common whose differences vary: names, difference, interval, p-values."""
    rows = []
    for (a, ours), (b, theirs) in combinations(by_method.items(), 2):
        differences = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
        found = mean_interval(differences) if len(differences) > 1 else None
        if found and found.sd and found.half_width is not None:
            p = float(stats.ttest_1samp(differences, 0).pvalue)
            ends = (found.mean, found.mean - found.half_width, found.mean + found.half_width)
            rows.append(([a, b, str(len(differences)), *(f"{end:.4g}" for end in ends)], p))
    adjusted = holm([p for _, p in rows]) if rows else []
    for (cells, p), corrected in zip(rows, adjusted, strict=True):
        yield [*cells, f"{p:.2g}", f"{corrected:.2g}"]


def costs(runs: Sequence[Record]) -> str:
    """A Markdown table: seconds a run, means over the runs of a base."""
    seconds: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        of_base = seconds[run.spec.base.name]
        of_base["training"].append(run.cost.train_seconds)
        of_base["answers to validation and test"].append(run.cost.eval_seconds)
        for probe, taken in run.cost.probe_seconds.items():
            of_base[probe].append(taken)
    bases = sorted(seconds)
    names = sorted({name for of_base in seconds.values() for name in of_base}, key=lambda name: (" " in name, name))
    lines = [["seconds of a run", *bases], ["---", *["---:"] * len(bases)]]
    for name in names:
        taken_by = [seconds[base].get(name, []) for base in bases]
        lines.append([name, *(f"{sum(taken) / len(taken):.1f}" if taken else "" for taken in taken_by)])
    n_runs = ", ".join(f"{len(seconds[base]['training'])} of {base}" for base in bases)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    devices = ", ".join(sorted({str(run.environment.get("cpu")) for run in runs}))
    return f"{table}\n\nMeans over {n_runs}; two runs at a time, each on one core of {devices}.\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    main(given.results, given.out)
