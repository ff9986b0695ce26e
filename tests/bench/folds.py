"""How often tests over folds err on equal methods, by simulation: `python -m tests.bench.folds`.

Prints a table and writes it to `results/tables/folds.md`. An optional argument divides the number of simulated data
sets, which is 2,000.

Two methods learn to tell two classes apart by regularized least squares, each from eight features of its own. All
features tell equally much, so on average over data sets both methods are equally good, whatever the size; with
`WEAKER` features the second is truly worse. Error is the share of data sets in which the two differ significantly
though they are equal, at a level of 5 %; power that in which the better one is found to be so.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.statistics.difference import folds_difference
from harness.statistics.intervals import LEVEL, Floats

OUT = Path("results/tables/folds.md")
N_DATA_SETS = 2000
N_FEATURES, SEPARATION, WEAKER = 8, 0.25, 0.5


@dataclass(frozen=True)
class Setting:
    """A cross-validation: examples, folds, and how often it is repeated with other folds (seeds)."""

    n_examples: int
    n_folds: int
    n_seeds: int


SETTINGS = [
    Setting(n, k, r) for n, k, r in [(60, 5, 1), (60, 5, 5), (60, 10, 1), (200, 2, 5), (200, 5, 1), (200, 5, 3)]
] + [Setting(n, k, r) for n, k, r in [(200, 5, 10), (200, 10, 1), (200, 10, 3), (1000, 5, 1), (1000, 5, 5)]]


def differences(setting: Setting, separations: tuple[float, float], random: np.random.Generator) -> Floats:
    """Accuracy of the first method less that of the second, at each fold of each seed of one data set."""
    targets = random.choice([-1.0, 1.0], setting.n_examples)
    methods = [
        random.normal(size=(setting.n_examples, N_FEATURES)) + separation * targets[:, None]
        for separation in separations
    ]
    found = []
    for _ in range(setting.n_seeds):
        folds = random.permutation(setting.n_examples) % setting.n_folds
        for fold in range(setting.n_folds):
            ours, theirs = (_accuracy(features, targets, folds == fold) for features in methods)
            found.append(ours - theirs)
    return np.array(found)


def _accuracy(features: Floats, targets: Floats, is_test: NDArray[np.bool_]) -> float:
    train = features[~is_test]
    weights = np.linalg.solve(train.T @ train + np.eye(N_FEATURES), train.T @ targets[~is_test])
    return float(np.mean(np.sign(features[is_test] @ weights) == targets[is_test]))


def corrected(by_run: Floats, n_folds: int) -> float:
    """The p-value that tables use."""
    return folds_difference(by_run, 1 / (n_folds - 1)).p_value


def naive(by_run: Floats, n_folds: int) -> float:
    """The p-value of a paired t-test that takes the runs for independent."""
    return folds_difference(by_run, 0.0).p_value


Test = Callable[[Floats, int], float]


def found_shares(setting: Setting, separations: tuple[float, float], n: int, *tests: Test) -> list[float]:
    """The share of ``n`` data sets in which each test finds a difference (the first method ahead, unless equal)."""
    random = np.random.default_rng(0)
    is_equal = separations[0] == separations[1]
    drawn = [differences(setting, separations, random) for _ in range(n)]
    return [
        float(np.mean([test(d, setting.n_folds) <= LEVEL and (is_equal or d.mean() > 0) for d in drawn]))
        for test in tests
    ]


def table(n: int) -> str:
    """The whole table as Markdown."""
    lines = [
        f"Simulated by `python -m tests.bench.folds` on {datetime.now(UTC):%Y-%m-%d}: {n:,} data sets a",
        f"row. All numbers are percent; an error of 5 has a standard error of {100 * (0.05 * 0.95 / n) ** 0.5:.1f}.",
        "",
        "Error: two equally good methods differ significantly. Power: the better of two is found, where the features",
        "of the other tell half as much. Corrected: Nadeau and Bengio's test, which tables use. Naive: a paired t-test",
        "over the same runs as if they were independent.",
        "",
        "| examples | folds | seeds | corrected: error | naive: error | corrected: power |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for setting in SETTINGS:
        errors = found_shares(setting, (SEPARATION, SEPARATION), n, corrected, naive)
        (power,) = found_shares(setting, (SEPARATION, WEAKER * SEPARATION), n // 4, corrected)
        cells = [setting.n_examples, setting.n_folds, setting.n_seeds, *(f"{100 * e:.1f}" for e in errors)]
        lines.append(f"| {' | '.join(map(str, cells))} | {100 * power:.0f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = table(N_DATA_SETS // int(sys.argv[1] if len(sys.argv) > 1 else 1))
    OUT.write_text(text, encoding="utf-8")
    print(text)
