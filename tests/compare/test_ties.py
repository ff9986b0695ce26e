"""Tie groups of whole tables: what is bold, and what had to be read for it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from harness.compare.cells import Layout, group, layout_of_all
from harness.compare.predictions import Answers
from harness.compare.scores import Measure, Scored, score_cells
from harness.compare.statistics import holm
from harness.compare.ties import TOO_FEW, UNREADABLE, Family, tie_groups
from harness.record import Record
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

    def tied(self, family: Family = "table") -> list[frozenset[int]]:
        verdicts, _ = tie_groups(self.comparisons, self.read, "test", family)
        return [verdict.tied for verdict in verdicts]


def draw(skills: list[float], n_seeds: int = 5, n: int = 400, seed: int = 0) -> np.ndarray:
    return draw_correct(np.array(skills), n_seeds, n, np.random.default_rng(seed), Effects())


def test_the_best_is_tied_with_what_is_not_separable() -> None:
    assert Grid({"sst2": draw([2.0, 1.95, 0.5])}).tied() == [frozenset({0, 1})]


def test_ten_points_are_separated_with_three_seeds_and_seven_methods() -> None:
    assert Grid({"sst2": draw([2.0, 2.0, 2.0, 2.0, 2.0, 1.2, 0.3], n_seeds=3, n=872)}).tied() == [frozenset(range(5))]


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_a_table_of_equal_methods_has_all_bold_in_95_percent_of_cases(n_seeds: int) -> None:
    n_repetitions, rng = 150, np.random.default_rng(0)
    errors = 0
    for _ in range(n_repetitions):
        cubes = {task: draw_correct(np.full(3, 1.2), n_seeds, 200, rng, Effects()) for task in ("a", "b")}
        errors += Grid(cubes).tied() != [frozenset(range(3))] * 2
    assert errors / n_repetitions <= 0.05 + 3 * (0.05 * 0.95 / n_repetitions) ** 0.5


def test_a_larger_family_is_harder_to_reject() -> None:
    close = draw([1.6, 1.25], n=1500, seed=4)
    alone = Grid({"a": close}).tied()
    among = {"a": close} | {f"t{i}": draw([1.0, 1.0], seed=i) for i in range(40)}
    assert alone == [frozenset({0})]
    assert Grid(among).tied()[0] == frozenset({0, 1})
    assert Grid(among).tied("comparison")[0] == frozenset({0})


def test_predictions_are_read_only_where_they_can_matter() -> None:
    equal = Grid({"sst2": draw([1.2, 1.2, 1.2])})
    assert equal.tied() == [frozenset({0, 1, 2})]
    assert equal.n_read == 0
    unequal = Grid({"sst2": draw([2.0, 1.9, 1.8, 0.0])})
    assert unequal.tied() == [frozenset({0, 1, 2})]
    assert unequal.n_read == 10  # the best and the worst, five seeds each


def test_verdicts_are_those_of_testing_every_pair_with_the_best() -> None:
    """Against reading everything: Holm's first step counts all pairs, the pairs of two others are never rejected."""
    from harness.compare.pairs import compare_pairs

    for seed in range(20):
        cube = draw([1.7, 1.45, 1.2, 0.7], seed=seed)
        grid = Grid({"sst2": cube})
        records = [run for scored in grid.comparisons[0] for run in scored.runs]
        layout = layout_of_all(records)
        pairs = compare_pairs(group(records, layout), lambda run: run.spec.method.name, Measure(), grid.read)
        best = f"m{cube.mean(axis=(1, 2)).argmax()}"
        p_values = {p.a if p.b == best else p.b: p.difference.p_value for p in pairs if best in (p.a, p.b)}
        adjusted = holm([*p_values.values(), *[1.0] * (len(pairs) - len(p_values))])
        separate = {method for method, p in zip(p_values, adjusted, strict=False) if p <= 0.05}
        assert grid.tied() == [frozenset(m for m in range(4) if f"m{m}" not in separate)]


def test_one_seed_is_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    short = grid.comparisons[0][1]
    grid.comparisons[0][1] = Scored(short.cell, short.metric, {0: short.scores[0]})
    (verdict,), n_pairs = tie_groups(grid.comparisons, grid.read, "test")
    assert (verdict.tied, dict(verdict.untested), n_pairs) == (frozenset(), {0: TOO_FEW, 1: TOO_FEW}, 0)


def test_without_predictions_nothing_is_bold() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    (verdict,), _ = tie_groups(grid.comparisons, lambda run, split: None, "test")
    assert (verdict.tied, dict(verdict.untested)) == (frozenset(), {0: UNREADABLE, 1: UNREADABLE})


def test_other_examples_are_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})

    def read(run: Record, split: str) -> Answers:
        found = grid.read(run, split)
        ids = pa.array(range(400, 800)) if run.spec.method.name == "m1" else found.example_ids
        return Answers(ids, found.targets, found.predictions)

    (verdict,), _ = tie_groups(grid.comparisons, read, "test")
    assert dict(verdict.untested) == {1: UNREADABLE}


def test_a_metric_that_predictions_do_not_give_is_not_compared() -> None:
    grid = Grid({"sst2": draw([2.0, 0.2])})
    grid.comparisons[0] = [Scored(s.cell, "accuracy_norm", s.scores) for s in grid.comparisons[0]]
    (verdict,), _ = tie_groups(grid.comparisons, grid.read, "test")
    assert verdict.tied == frozenset()


def test_a_cell_alone_is_not_bold() -> None:
    assert Grid({"sst2": draw([1.0])}).tied() == [frozenset()]


def test_mcnemar_in_pairs_is_per_seed_and_by_majority(tmp_path: Path) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    from harness.compare.pairs import compare_pairs

    cube = draw([1.2, 0.8], n_seeds=3, n=300)
    grid = Grid({"sst2": cube})
    records = [run for scored in grid.comparisons[0] for run in scored.runs]
    layout = layout_of_all(records)
    (pair,) = compare_pairs(group(records, layout), lambda run: run.spec.method.name, Measure(), grid.read)

    def reference(a: np.ndarray, b: np.ndarray) -> float:
        return float(mcnemar([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]], exact=True).pvalue)

    assert pair.mcnemar_by_seed == pytest.approx([reference(a, b) for a, b in zip(*cube, strict=True)])
    assert pair.mcnemar_majority == pytest.approx(reference(*(method.sum(axis=0) >= 2 for method in cube)))
