"""How often the tables' rules err and what they find, by simulation: `python -m tests.bench.verdicts`.

Prints a grid and writes it to `results/tables/verdicts.md`: error and power of both rules for 2, 3, 5 and 10 seeds, 1
and 8 tasks, 2, 7 and 20 methods, equally noisy or one ten times as noisy. The setting is a metric whose standard
deviation over seeds is 0.4 points, on 872 test examples. An optional argument divides the number of simulated tables.

Error is the worst of four truths: all methods equal, or two best and the others three points below; 872 test examples,
or so many that only seeds vary. Power is the share of methods found that are 1, 2 or 3 points below the best one.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy import special

from harness.statistics.difference import SeedVariance, Uncertainty, larger_variance, pool_seed_variance
from harness.statistics.intervals import LEVEL, Floats, holm
from harness.suites.power import SHARED_DISAGREEMENT, draw_scores, is_dropped

OUT = Path("results/tables/verdicts.md")
SEED_DEVIATION, N_EXAMPLES, POINTS = 0.004, 872, (0.01, 0.02, 0.03)
N_TABLES = 4000
NOISE = {"equal": 1.0, "one tenfold": 10.0}


@dataclass(frozen=True)
class Setting:
    """A kind of table."""

    noise: str
    n_tasks: int
    n_methods: int
    n_seeds: int

    def draw(self, gaps: Floats, noisy: int, example_variance: float, n_tables: int) -> Floats:
        """Scores of methods of which one may be noisier, shape (tables, tasks, methods, seeds)."""
        deviations = np.full(self.n_methods, SEED_DEVIATION)
        deviations[noisy] *= NOISE[self.noise]
        rng = np.random.default_rng(0)
        return draw_scores(rng, (n_tables, self.n_tasks), gaps, self.n_seeds, example_variance, deviations)


def is_different(scores: Floats, example_variance: float, n_examples: int) -> Floats:
    """Which pairs of cells of simulated tables differ significantly, bool, shape (tables, tasks, K, K).

    Arguments as for ``is_dropped``; Holm's correction runs over all pairs of all tasks, as in the report.
    """
    n_tables, n_tasks, k, n_seeds = scores.shape
    a, b = np.triu_indices(k, 1)
    by_seed = scores[..., a, :] - scores[..., b, :]
    pooled = pool_seed_variance(scores[..., None, :, :])
    variance = larger_variance(by_seed.var(axis=-1, ddof=1), pooled, n_seeds)
    size = np.abs(by_seed.mean(axis=-1))
    # A normal quantile and known variances give the least p-value: what is not significant then needs no exact one.
    error = np.sqrt(variance.value / n_seeds + example_variance)
    p = np.ones(size.shape)
    hopeful = 2 * special.ndtr(-size / error) <= LEVEL
    seeds = SeedVariance(variance.value[hopeful], variance.degrees[hopeful])
    p[hopeful] = Uncertainty(seeds, n_seeds, np.asarray(example_variance), n_examples).p_value(size[hopeful])
    separate = holm(p.reshape(n_tables, -1)).reshape(p.shape) <= LEVEL
    result = np.zeros((n_tables, n_tasks, k, k), dtype=bool)
    result[..., a, b] = result[..., b, a] = separate
    return result


def bold_error(setting: Setting, n_tables: int) -> float:
    """How often a method that is one of the best is not bold somewhere in the table; the worst of the best ones."""
    return max(
        float(is_dropped(scores, variance, n)[..., :n_best].any(axis=1).mean(axis=0).max())
        for scores, n_best, variance, n in _truths(setting, n_tables)
    )


def difference_error(setting: Setting, n_tables: int) -> float:
    """How often any two equal methods differ significantly somewhere in the table."""
    worst = 0.0
    for scores, n_best, variance, n in _truths(setting, n_tables):
        is_best = np.arange(setting.n_methods) < n_best
        is_equal = is_best[:, None] == is_best
        worst = max(worst, float((is_different(scores, variance, n) & is_equal).any(axis=(1, 2, 3)).mean()))
    return worst


def _truths(setting: Setting, n_tables: int) -> Iterator[tuple[Floats, int, float, int]]:
    """Scores, the number of best methods, the variance of examples and their number; the first method is noisy."""
    for n_best in sorted({2, setting.n_methods}):
        gaps = np.where(np.arange(setting.n_methods) < n_best, 0.0, 0.03)
        for variance, n in ((SHARED_DISAGREEMENT / N_EXAMPLES, N_EXAMPLES), (0.0, 10**9)):
            yield setting.draw(gaps, 0, variance, n_tables), n_best, variance, n


def power(rule: Callable[[Floats, float, int], Floats], setting: Setting, gap: float, n_tables: int) -> float:
    """The share of the methods found, but for the noisy one, that are worse than the best by a gap."""
    gaps = np.r_[0.0, np.full(setting.n_methods - 1, gap)]
    noisy = setting.n_methods - 1
    variance = SHARED_DISAGREEMENT / N_EXAMPLES
    found = rule(setting.draw(gaps, noisy, variance, n_tables), variance, N_EXAMPLES)
    of_best = found if found.ndim == 3 else found[:, :, 0]
    seen = slice(1, noisy) if setting.noise != "equal" and noisy > 1 else slice(1, None)
    return float(of_best[..., seen].mean())


def grid() -> Iterator[Setting]:
    """Every setting of the table."""
    for noise in NOISE:
        for n_tasks in (1, 8):
            for n_methods in (2, 7, 20):
                for n_seeds in (2, 3, 5, 10):
                    yield Setting(noise, n_tasks, n_methods, n_seeds)


def row(setting: Setting, divisor: int) -> str:
    """A line of the table, in percent."""
    n_tables = max(50, N_TABLES // setting.n_tasks // divisor)
    cells = [setting.noise, str(setting.n_tasks), str(setting.n_methods), str(setting.n_seeds)]
    for error, rule in ((bold_error, is_dropped), (difference_error, is_different)):
        cells.append(f"{100 * error(setting, n_tables):.1f}")
        cells.append(" / ".join(f"{100 * power(rule, setting, gap, n_tables):.0f}" for gap in POINTS))
    return f"| {' | '.join(cells)} |"


def main(divisor: int) -> None:
    """Print the table and write it."""
    one, eight = N_TABLES // divisor, N_TABLES // 8 // divisor
    of_one, of_eight = (100 * (0.05 * 0.95 / n) ** 0.5 for n in (one, eight))
    lines = [
        f"Simulated by `python -m tests.bench.verdicts` on {datetime.now(UTC):%Y-%m-%d}: {one:,} tables of one task, "
        f"{eight:,} of eight. All numbers are percent; an error of 5 has a standard error of {of_one:.1f} with one "
        f"task and {of_eight:.1f} with eight. The metric has a standard deviation of 0.4 points over seeds, on "
        f"{N_EXAMPLES} test examples.",
        "",
        *(__doc__ or "").split("\n\n")[2].strip().splitlines(),
        "Bold: one of the best methods is not bold. Differences: two equal methods differ significantly in the report.",
        "",
        "| noise | tasks | methods | seeds | bold: error | power at 1 / 2 / 3 points | differences: error | power |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    print("\n".join(lines), flush=True)
    for setting in grid():
        lines.append(row(setting, divisor))
        print(lines[-1], flush=True)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
