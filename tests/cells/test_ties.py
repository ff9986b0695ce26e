"""Tie groups of whole tables: what is bold, and what had to be read for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from harness.cells.cells import Layout, group, layout_of_all
from harness.cells.scores import Measure, Scored, score_cells
from harness.cells.ties import TOO_FEW, UNREADABLE, Verdict, find_ties
from harness.metric import Unregistered
from harness.statistics.intervals import holm
from harness.storage.predictions import Answers
from harness.storage.record import Record
from tests.synthetic import Effects, draw_correct, make_record


class Grid:
    """Simulated runs in memory: scored comparisons, and a reader that counts what it reads."""

    def __init__(self, correct: dict[str, np.ndarray]) -> None:
        """Task → which answers are right, shape (methods, seeds, examples)."""
        self.correct = correct
        self.n_read = 0
        records = [
            Record.model_validate(make_record(f"m{m}", seed, task=task, accuracy=float(row.mean())))
            for task, cube in correct.items()
            for m, method in enumerate(cube)
            for seed, row in enumerate(method)
        ]
        layout: Layout = layout_of_all(records)
        self.comparisons = [score_cells(comparison, Measure()) for comparison in group(records, layout)]

    def read(self, run: Record, split: str) -> Answers:
        self.n_read += 1
        row = self.correct[run.spec.task.name][int(run.spec.method.name[1:])][run.spec.seed]
        return Answers(pa.array(range(len(row))), np.ones(len(row), dtype=int), row.astype(int))

    def verdicts(self, together: bool = True) -> list[Verdict]:
        families = [0 if together else place for place in range(len(self.comparisons))]
        return find_ties(self.comparisons, self.read, "test", families)

    def tied(self, together: bool = True) -> list[frozenset[int]]:
        return [verdict.tied for verdict in self.verdicts(together)]


def draw(skills: list[float], n_seeds: int = 5, n: int = 400, seed: int = 0) -> np.ndarray:
    return draw_correct(np.array(skills), n_seeds, n, np.random.default_rng(seed), Effects())


def test_the_best_is_tied_with_what_is_not_separable() -> None:
    assert Grid({"sst2": draw([2.0, 1.95, 0.5])}).tied() == [frozenset({0, 1})]


def test_ten_points_are_separated_with_three_seeds_and_seven_methods() -> None:
    skills = [2.0, 2.0, 2.0, 2.0, 2.0, 1.2, 0.3]
    tied = [Grid({"sst2": draw(skills, n_seeds=3, n=872, seed=seed)}).tied()[0] for seed in range(10)]
    assert sum(found <= frozenset(range(5)) for found in tied) >= 9


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_one_of_several_equal_methods_is_kept_in_95_percent_of_cases(n_seeds: int) -> None:
    """In two tasks at once, with binary answers, their bootstrap and the whole path from records to verdicts."""
    n_repetitions, rng = 150, np.random.default_rng(0)
    errors = 0
    for _ in range(n_repetitions):
        cubes = {task: draw_correct(np.full(3, 1.2), n_seeds, 200, rng, Effects()) for task in ("a", "b")}
        errors += any(0 not in tied for tied in Grid(cubes).tied())
    assert errors / n_repetitions <= 0.05 + 3 * (0.05 * 0.95 / n_repetitions) ** 0.5


def test_the_best_is_named_beside_what_is_tied_with_it() -> None:
    cube = draw([2.0, 1.95, 0.5])
    (verdict,) = Grid({"sst2": cube}).verdicts()
    assert verdict.best == cube.mean(axis=(1, 2)).argmax()
    assert verdict.n_tests == 2


def test_a_larger_family_is_harder_to_reject() -> None:
    close = draw([1.6, 1.3], n=1500, seed=4)
    alone = Grid({"a": close}).tied()
    among = {"a": close} | {f"t{i}": draw([1.0, 1.0], seed=i) for i in range(40)}
    assert alone == [frozenset({0})]
    assert Grid(among).tied()[0] == frozenset({0, 1})
    assert Grid(among).tied(together=False)[0] == frozenset({0})


def test_rows_that_are_clearly_worse_do_not_make_verdicts_harder() -> None:
    """Holm's steps: what is far below the best costs the close rivals nothing, unlike a correction over all pairs."""
    close = [1.6, 1.33]
    cube = draw([*close, *[0.4] * 18], n=1500, seed=4)
    assert Grid({"a": cube[:2]}).tied() == Grid({"a": cube}).tied() == [frozenset({0})]


def test_predictions_are_read_only_where_they_can_matter() -> None:
    equal = Grid({"sst2": draw([1.2, 1.2, 1.2])})
    assert equal.tied() == [frozenset({0, 1, 2})]
    assert equal.n_read == 10  # the best and the nearest rival, five seeds each: for the noise floor
    unequal = Grid({"sst2": draw([2.0, 1.9, 1.85, 0.0])})
    assert unequal.tied() == [frozenset({0, 1, 2})]
    assert unequal.n_read == 15  # and the worst


def test_verdicts_are_those_of_testing_every_rival() -> None:
    """Against reading everything: what was not read would not have been rejected."""
    from harness.cells.sharing import Sharing
    from harness.cells.ties import answer_cells
    from harness.statistics.difference import difference

    for seed in range(20):
        cube = draw([1.7, 1.45, 1.2, 0.7], seed=seed)
        grid = Grid({"sst2": cube})
        (cells,) = grid.comparisons
        answered = [found.resampled for found in answer_cells(cells, grid.read, "test") if found]
        best = int(cube.mean(axis=(1, 2)).argmax())
        pairs = list(Sharing(cells).of(best))
        rivals = [pair.a + pair.b - best for pair in pairs]
        leads = [
            difference(answered[best], answered[place], pair.pooled) for place, pair in zip(rivals, pairs, strict=True)
        ]
        adjusted = holm([float(lead.uncertainty.worse_p(lead.mean)) for lead in leads])
        worse = {place for place, p in zip(rivals, adjusted, strict=True) if p <= 0.05}
        assert grid.tied() == [frozenset(range(4)) - worse]


def without_seeds(scored: Scored, seeds: set[int], status: str | None = None) -> Scored:
    """The cell without these seeds' scores; their runs are gone too, or ended with the status."""
    runs = [
        run.model_copy(update={"status": status}) if run.spec.seed in seeds else run
        for run in scored.cell.runs
        if status or run.spec.seed not in seeds
    ]
    kept = {seed: score for seed, score in scored.scores.items() if seed not in seeds}
    return Scored(replace(scored.cell, runs=tuple(runs)), scored.metric, kept)


def test_a_cell_with_a_diverged_seed_is_not_the_best_but_may_be() -> None:
    grid = Grid({"sst2": draw([2.0, 1.9, 0.2])})
    best = grid.verdicts()[0].best
    assert best is not None
    grid.comparisons[0][best] = without_seeds(grid.comparisons[0][best], {3}, "diverged")
    (verdict,) = grid.verdicts()
    assert verdict.best == 1 - best
    assert verdict.tied == frozenset({0, 1})


def test_a_row_that_shares_no_seeds_leaves_the_verdicts_on_the_others() -> None:
    grid = Grid({"sst2": draw([2.0, 1.9, 0.2, 2.6])})
    grid.comparisons[0][3] = without_seeds(grid.comparisons[0][3], {1, 2, 3, 4})
    (verdict,) = grid.verdicts()
    assert verdict.tied == frozenset({0, 1})
    assert dict(verdict.untested) == {3: TOO_FEW}


def test_a_best_row_without_predictions_leaves_the_verdicts_on_the_others() -> None:
    grid = Grid({"sst2": draw([2.0, 1.9, 0.2, 2.6])})

    def read(run: Record, split: str) -> Answers | None:
        return None if run.spec.method.name == "m3" else grid.read(run, split)

    (verdict,) = find_ties(grid.comparisons, read, "test", [0])
    assert verdict.tied == frozenset({0, 1})
    assert dict(verdict.untested) == {3: UNREADABLE}
    assert verdict.n_tests == 2


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_the_noise_floor_is_seen_in_80_percent_of_cases(n_seeds: int) -> None:
    """Two methods: a lead of the mean floor is found with about 80 % power."""
    n_repetitions, rng = 100, np.random.default_rng(1)
    effects = Effects(example=1.0, example_by_method=0.6, seed=0.05)

    def grid(worse: float) -> Grid:
        return Grid({"sst2": draw_correct(np.array([1.6, worse]), n_seeds, 400, rng, effects)})

    floor = np.median([grid(1.6).verdicts()[0].floor for _ in range(40)])
    spread = np.sqrt(1 + effects.example**2 + effects.example_by_method**2 + effects.seed**2)
    worse = spread * stats.norm.ppf(stats.norm.cdf(1.6 / spread) - floor)
    found = np.mean([grid(worse).tied() == [frozenset({0})] for _ in range(n_repetitions)])
    assert 0.65 <= found <= 0.95


def test_one_seed_is_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    short = grid.comparisons[0][1]
    grid.comparisons[0][1] = Scored(short.cell, short.metric, {0: short.scores[0]})
    (verdict,) = grid.verdicts()
    assert (verdict.tied, dict(verdict.untested), verdict.n_tests) == (frozenset(), {0: TOO_FEW, 1: TOO_FEW}, 0)


def test_without_predictions_nothing_is_bold() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    (verdict,) = find_ties(grid.comparisons, lambda run, split: None, "test", [0])
    assert (verdict.tied, dict(verdict.untested)) == (frozenset(), {0: UNREADABLE, 1: UNREADABLE})


def test_other_examples_are_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})

    def read(run: Record, split: str) -> Answers:
        found = grid.read(run, split)
        ids = pa.array(range(400, 800)) if run.spec.method.name == "m1" else found.example_ids
        return Answers(ids, found.targets, found.predictions)

    (verdict,) = find_ties(grid.comparisons, read, "test", [0])
    assert dict(verdict.untested) == {0: UNREADABLE, 1: UNREADABLE}


def test_a_metric_that_predictions_do_not_give_is_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    grid.comparisons[0] = [Scored(s.cell, Unregistered(), s.scores) for s in grid.comparisons[0]]
    (verdict,) = grid.verdicts()
    assert verdict.tied == frozenset()


def test_a_cell_alone_is_not_bold() -> None:
    assert Grid({"sst2": draw([1.0])}).tied() == [frozenset()]


def test_mcnemar_in_pairs_is_per_seed_and_by_majority(tmp_path: Path) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    from harness.cells.pairs import compare_pairs

    cube = draw([1.2, 0.8], n_seeds=3, n=300)
    grid = Grid({"sst2": cube})
    records = [run for scored in grid.comparisons[0] for run in scored.runs]
    layout = layout_of_all(records)
    (pair,) = compare_pairs(group(records, layout), lambda run: run.spec.method.name, Measure(), grid.read)

    def reference(a: np.ndarray, b: np.ndarray) -> float:
        return float(mcnemar([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]], exact=True).pvalue)

    assert pair.mcnemar_by_seed == pytest.approx([reference(a, b) for a, b in zip(*cube, strict=True)])
    assert pair.mcnemar_majority == pytest.approx(reference(*(method.sum(axis=0) >= 2 for method in cube)))
