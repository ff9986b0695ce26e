"""How often races err and how many runs they save, by simulation: `python -m tests.bench.racing`.

Prints tables and writes them to `results/tables/racing.md`. The setting is that of `tests.bench.verdicts`: a metric
whose standard deviation over seeds is 0.4 points, on 872 test examples or so many that only seeds vary. A race looks
after 3, 5, 8 and 12 seeds and is compared with 12 seeds of everything, judged once by the tables' rule. An optional
argument divides the number of simulated races.

Error is the worst of two truths, all methods equal or two best and the others three points below, in races that no
equivalence ends: the share in which a method that is one of the best is found worse at any look, in any task.
AdaStop (Mathieu et al. 2023) is raced where its package is installed: `pip install adastop`.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from harness.statistics.intervals import LEVEL, Floats
from harness.statistics.looks import look_levels
from harness.suites.power import SHARED_DISAGREEMENT, draw_scores, is_dropped
from harness.suites.race_power import Courses, race_scores
from tests.bench.verdicts import N_EXAMPLES, NOISE, SEED_DEVIATION

OUT = Path("results/tables/racing.md")
LOOKS = (3, 5, 8, 12)
MARGIN = 0.02
GAPS = (0.0, 0.01, 0.02, 0.03)
N_RACES = 4000
N_ADASTOP = {2: 100, 7: 10}
"""Methods → races of AdaStop, which draws its permutations of every pair in Python."""
MANY = 10**9


@dataclass(frozen=True)
class Setting:
    """A kind of race."""

    noise: str
    n_examples: int
    n_tasks: int
    n_methods: int

    @property
    def example_variance(self) -> float:
        """Of a difference, from the examples that all seeds share."""
        return SHARED_DISAGREEMENT / self.n_examples

    def draw(self, gaps: Floats, noisy: int, n_races: int) -> Floats:
        """Scores of methods of which one may be noisier, shape (races, tasks, methods, seeds)."""
        deviations = np.full(self.n_methods, SEED_DEVIATION)
        deviations[noisy] *= NOISE[self.noise]
        tables, rng = (n_races, self.n_tasks), np.random.default_rng(0)
        return draw_scores(rng, tables, gaps, LOOKS[-1], self.example_variance, deviations)

    def race(self, scores: Floats, margin: float, looks: Sequence[int] = LOOKS) -> Courses:
        """The races of such scores."""
        return race_scores(scores, looks, self.example_variance, self.n_examples, margin)


def race_error(setting: Setting, n_races: int) -> tuple[float, float]:
    """How often one of the best methods is found worse, by the race and by all seeds at once; the worst of the best."""
    errors = []
    for n_best in sorted({2, setting.n_methods}):
        scores = setting.draw(np.where(np.arange(setting.n_methods) < n_best, 0.0, 0.03), 0, n_races)
        at_once = is_dropped(scores, setting.example_variance, setting.n_examples)
        dropped = np.array([setting.race(scores, 0.0).dropped > 0, at_once])[..., :n_best]
        errors.append(dropped.any(axis=2).mean(axis=1).max(axis=-1))
    by_race, by_all = np.max(errors, axis=0)
    return float(by_race), float(by_all)


def false_equivalence(setting: Setting, n_races: int) -> float:
    """How often methods that differ by the margin are found to differ by less."""
    gaps = np.r_[0.0, np.full(setting.n_methods - 1, MARGIN)]
    courses = setting.race(setting.draw(gaps, setting.n_methods - 1, n_races), MARGIN)
    return float(courses.is_equivalent.any(axis=1).mean())


@dataclass(frozen=True)
class Saved:
    """A race where all methods are behind the best by the same gap; shares of 1.

    Args:
        runs: Runs made, of those with all seeds.
        found: Methods found worse by the race.
        found_by_all: By all seeds at once.
        equivalent: Races that ended because what remained was equivalent.
    """

    runs: float
    found: float
    found_by_all: float
    equivalent: float


def saved(setting: Setting, gap: float, n_races: int) -> Saved:
    """What a race saves and finds at a gap."""
    scores = setting.draw(np.r_[0.0, np.full(setting.n_methods - 1, gap)], setting.n_methods - 1, n_races)
    courses = setting.race(scores, MARGIN)
    by_all = is_dropped(scores, setting.example_variance, setting.n_examples)
    return Saved(
        runs=float(courses.n_seeds.mean()) / LOOKS[-1],
        found=float((courses.dropped[..., 1:] > 0).mean()),
        found_by_all=float(by_all[..., 1:].mean()),
        equivalent=float(courses.is_equivalent.mean()),
    )


def grid() -> Iterator[Setting]:
    """Every setting of the tables."""
    for noise in NOISE:
        for n_examples in (N_EXAMPLES, MANY):
            for n_tasks, n_methods in ((1, 2), (1, 7), (4, 7)):
                yield Setting(noise, n_examples, n_tasks, n_methods)


def adastop(setting: Setting, gap: float, n_races: int) -> Saved:
    """The same by AdaStop: all pairs, both sides, four looks of three seeds, 500 permutations, no equivalence."""
    from adastop import MultipleAgentsComparator

    scores = setting.draw(np.r_[0.0, np.full(setting.n_methods - 1, gap)], setting.n_methods - 1, n_races)[:, 0]
    by_all = is_dropped(scores[:, None], setting.example_variance, setting.n_examples)
    n_runs, n_found = 0, 0
    for number, table in enumerate(scores):
        test = MultipleAgentsComparator(n=3, K=4, B=500, alpha=LEVEL, seed=number)
        seeds = np.zeros(setting.n_methods, dtype=int)
        while not test.is_finished:
            racing = range(setting.n_methods) if test.k == 0 else np.unique(test.current_comparisons)
            seeds[list(racing)] += 3
            test.partial_compare({f"m{m}": row[: seeds[m]] for m, row in enumerate(table)}, verbose=False)
        n_runs += int(seeds.sum())
        n_found += sum(test.decisions[str(np.array([0, m]))] == "larger" for m in range(1, setting.n_methods))
    n_all = n_races * setting.n_methods * LOOKS[-1]
    found = n_found / (n_races * (setting.n_methods - 1))
    return Saved(n_runs / n_all, found, float(by_all[..., 1:].mean()), 0.0)


def words(setting: Setting) -> list[str]:
    """The first cells of a row."""
    examples = "many" if setting.n_examples == MANY else str(setting.n_examples)
    return [setting.noise, examples, str(setting.n_tasks), str(setting.n_methods)]


def level_lines() -> Iterator[str]:
    """What each look tests at."""
    yield "| look after | level of the look | spent so far |"
    yield "|--:|--:|--:|"
    levels = look_levels(LOOKS)
    for n, level, spent in zip(LOOKS, levels, np.cumsum(levels), strict=True):
        yield f"| {n} seeds | {100 * level:.2f} % | {100 * spent:.2f} % |"


def error_lines(divisor: int) -> Iterator[str]:
    """Errors of every setting, in percent."""
    yield "| noise | examples | tasks | methods | race | 12 seeds at once | false equivalence |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for setting in grid():
        n = max(20, N_RACES // setting.n_tasks // divisor)
        errors = (*race_error(setting, n), false_equivalence(setting, n))
        yield f"| {' | '.join(words(setting))} | {' | '.join(f'{100 * error:.1f}' for error in errors)} |"


def saving_lines(divisor: int) -> Iterator[str]:
    """Runs and methods found of every setting with equal noise, in percent."""
    yield "| examples | tasks | methods | gap | runs made | found by the race | by 12 seeds | ended as equivalent |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|"
    for setting in grid():
        for gap in GAPS if setting.noise == "equal" else ():
            found = saved(setting, gap, max(20, N_RACES // setting.n_tasks // divisor))
            cells = [*words(setting)[1:], f"{100 * gap:g}", f"{100 * found.runs:.0f}", f"{100 * found.found:.0f}"]
            yield f"| {' | '.join(cells)} | {100 * found.found_by_all:.0f} | {100 * found.equivalent:.0f} |"


def adastop_lines(divisor: int) -> Iterator[str]:
    """AdaStop beside a race without equivalence at the same looks, on the same scores."""
    if not find_spec("adastop"):
        yield "AdaStop is not compared: its package is not installed."
        return
    yield "Looks after 3, 6, 9 and 12 seeds; only seeds vary. AdaStop tests all pairs and both sides, and goes on while"
    yield "any two are undecided, here those that are behind by the same gap."
    yield ""
    yield "| methods | races | gap | AdaStop: runs made | found | race: runs made | found |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for n_methods, n_races in N_ADASTOP.items():
        n = max(2, n_races // divisor)
        setting = Setting("equal", MANY, 1, n_methods)
        for gap in GAPS:
            theirs = adastop(setting, gap, n)
            scores = setting.draw(np.r_[0.0, np.full(n_methods - 1, gap)], n_methods - 1, n)
            ours = setting.race(scores, 0.0, (3, 6, 9, 12))
            runs, found = ours.n_seeds.mean() / LOOKS[-1], (ours.dropped[..., 1:] > 0).mean()
            shares = [f"{100 * share:.0f}" for share in (theirs.runs, theirs.found, runs, found)]
            yield f"| {n_methods} | {n} | {100 * gap:g} | {' | '.join(shares)} |"


def main(divisor: int) -> None:
    """Print the tables and write them."""
    n = N_RACES // divisor
    sections = {
        "": [
            f"Simulated by `python -m tests.bench.racing` on {datetime.now(UTC):%Y-%m-%d}: {n:,} races of one task, "
            f"{n // 4:,} of four. An error of 5 % has a standard error of {100 * (0.0475 / n) ** 0.5:.1f} with one "
            f"task and {100 * (0.0475 * 4 / n) ** 0.5:.1f} with four.",
            *(__doc__ or "").split("\n\n")[1].strip().splitlines(),
        ],
        "Levels": level_lines(),
        "Error": error_lines(divisor),
        f"Runs saved, where a difference of {100 * MARGIN:g} points is worth claiming": saving_lines(divisor),
        "AdaStop": adastop_lines(divisor),
    }
    written = []
    for title, lines in sections.items():
        for line in [*([f"## {title}", ""] if title else []), *lines, ""]:
            print(line, flush=True)
            written.append(line)
    OUT.write_text("\n".join(written))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
