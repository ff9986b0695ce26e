"""Cross-validated cells: what is tested, and what tables say of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.cells.cells import group, label_of, layout_of_all, make_layout
from harness.cells.pairs import compare_pairs
from harness.cells.scores import Measure, score_cells
from harness.cells.ties import find_ties
from harness.core.errors import SpecError
from harness.figure import FIGURES
from harness.storage.record import Record
from harness.tables.entries import Entry
from harness.tables.render import to_markdown
from harness.tables.spec import TableSpec
from harness.tables.table import make_table
from harness.testing.records import make_record, write_run

FOLDS = 5


def folded(method: str, scores: list[float], folds: int = FOLDS) -> list[Record]:
    """One run for each score: the folds of seed 0, then those of seed 1."""
    runs = []
    for number, score in enumerate(scores):
        seed, fold = divmod(number, folds)
        plain = make_record(method, seed, accuracy=score)
        plain["spec"]["task"] |= {"folds": folds, "fold": fold}
        plain["data"] |= {"protocol": "folds", "fingerprint": f"{seed}{fold}"}
        runs.append(Record.model_validate(plain | {"run_id": f"{sum(map(ord, method)):06x}{number:06x}"}))
    return runs


def no_answers(run: Record, split: str) -> None:
    return None


@pytest.fixture
def draws() -> Callable[[float, int], list[float]]:
    random = np.random.default_rng(0)
    return lambda mean, n: (mean + 0.02 * random.normal(size=n)).tolist()


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_lead_is_tested_as_nadeau_and_bengio_have_it(draws: Callable[..., list[float]], n_seeds: int) -> None:
    one, other = draws(0.90, FOLDS * n_seeds), draws(0.87, FOLDS * n_seeds)
    records = [*folded("a", one), *folded("b", other)]
    layout = layout_of_all(records)
    comparisons = group(records, layout)
    (pair,) = compare_pairs(comparisons, lambda run: label_of(run, ["method"]), Measure(), no_answers)
    d = np.array(one) - np.array(other)
    t = d.mean() / np.sqrt((1 / len(d) + (1 / 5) / (4 / 5)) * d.var(ddof=1))
    assert pair.difference.p_value == pytest.approx(2 * stats.t.sf(t, len(d) - 1), rel=1e-3)
    (verdict,) = find_ties([score_cells(comparisons[0], Measure())], no_answers, "test", [0])
    assert verdict.best == 0
    assert (1 in verdict.tied) is bool(stats.t.sf(t, len(d) - 1) > 0.05)
    (cell, _) = score_cells(comparisons[0], Measure())
    width = stats.t.ppf(0.975, len(d) - 1) * np.std(one, ddof=1) * np.sqrt(1 / len(d) + 1 / 4)
    assert cell.interval.half_width == pytest.approx(width)


def test_a_table_says_so(draws: Callable[..., list[float]]) -> None:
    records = [*folded("a", draws(0.9, 10)), *folded("b", draws(0.5, 10)[:7])]
    text = to_markdown(make_table(records, make_layout(records), TableSpec(), no_answers))
    assert "| a | **9" in text
    assert "(7 of 10)" in text
    assert "no run of seed 1 fold 2, 1 fold 3, 1 fold 4" in text
    assert "for each of 5 folds" in text
    assert "Nadeau and Bengio 2003" in text
    assert "seen with 80 % power" in text


def test_folds_and_a_test_set_are_not_compared(draws: Callable[..., list[float]]) -> None:
    plain = [Record.model_validate(make_record("b", seed)) for seed in range(5)]
    records = [*folded("a", draws(0.9, 5)), *plain]
    with pytest.raises(SpecError, match=r"mixes numbers of folds \(5, none\)"):
        make_table(records, make_layout(records), TableSpec(), no_answers)
    records = [*folded("a", draws(0.9, 5)), *folded("a", draws(0.9, 3), folds=3)]
    with pytest.raises(SpecError, match=r"differ in task\.folds \(3, 5\)"):
        make_table(records, make_layout(records), TableSpec(), no_answers)


@pytest.mark.parametrize("spec", [TableSpec(average=True), TableSpec(rank=True)])
def test_what_is_not_made_for_folds_says_so(spec: TableSpec, draws: Callable[..., list[float]]) -> None:
    records = [*folded("a", draws(0.9, 5)), *folded("b", draws(0.8, 5))]
    with pytest.raises(SpecError, match="is not made for cross-validated runs"):
        make_table(records, make_layout(records), spec, no_answers)


def test_a_standard_error_is_widened_too(draws: Callable[..., list[float]]) -> None:
    scores = draws(0.9, 5)
    (cell,) = score_cells(group(folded("a", scores), layout_of_all(folded("a", scores)))[0], Measure())
    expected = np.std(scores, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert Entry(interval=cell.interval).width("se") == pytest.approx(expected)


def test_other_examples_of_the_same_fold_are_mixed(draws: Callable[..., list[float]]) -> None:
    ours, theirs = folded("a", draws(0.9, 5)), folded("b", draws(0.9, 5))
    theirs[2] = theirs[2].model_copy(update={"data": theirs[2].data.model_copy(update={"fingerprint": "other"})})
    with pytest.raises(SpecError, match="mixes data fingerprints for seed 2"):
        make_table([*ours, *theirs], make_layout([*ours, *theirs]), TableSpec(), no_answers)


@pytest.mark.parametrize("name", ["pareto", "curves"])
def test_folds_are_drawn(name: str, draws: Callable[..., list[float]], tmp_path: Path) -> None:
    for record in [*folded("a", draws(0.9, 5)), *folded("b", draws(0.8, 5))]:
        write_run(tmp_path, record.model_dump(mode="json", by_alias=True))
    assert FIGURES.make(name).draw(tmp_path)
