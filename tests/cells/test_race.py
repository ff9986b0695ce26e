"""Races replayed from records: who leaves when, however often one stops, and what tables make of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from harness.cells.answered import answer_cells
from harness.cells.cells import Cell, Comparison, group, layout_of_all
from harness.cells.choices import Split
from harness.cells.looks import replay
from harness.cells.pairs import compare_pairs
from harness.cells.race import RacedCell, RacedComparison, RaceRecord, find_races, label_races, save_race
from harness.cells.scores import Measure, score_cells
from harness.cells.sharing import Sharing
from harness.core.errors import SpecError
from harness.statistics.difference import difference
from harness.statistics.intervals import holm
from harness.statistics.looks import p_over_looks
from harness.storage.predictions import Answers
from harness.storage.record import Record
from harness.tables.render import to_markdown
from harness.tables.spec import TableSpec
from harness.tables.table import Table, make_table
from tests.synthetic import Effects, draw_correct, make_record

LOOKS = [3, 5, 8]


class Field:
    """Simulated runs of some methods on 8 seeds, of each task, and a race of them that has not begun."""

    def __init__(
        self, skills: list[float], *, tasks: int = 1, n: int = 500, margin: float = 1e-6, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.correct = {
            f"t{task}": draw_correct(np.array(skills), LOOKS[-1], n, rng, Effects()) for task in range(tasks)
        }
        self.runs: dict[str, Record] = {}
        comparisons = []
        for task, cube in self.correct.items():
            ids = [[self._add(task, m, number, row) for number, row in enumerate(rows)] for m, rows in enumerate(cube)]
            cells = [RacedCell(label=f"m{m}", run_ids=found) for m, found in enumerate(ids)]
            setting = {"task": task, "base": "base", "quantization": "none"}
            comparisons.append(RacedComparison(setting=setting, margin=margin, cells=cells))
        self.race = RaceRecord(name="race-1", seeds=list(range(LOOKS[-1])), looks=LOOKS, comparisons=comparisons)

    def _add(self, task: str, method: int, seed: int, row: np.ndarray) -> str:
        run = Record.model_validate(make_record(f"m{method}", seed, task=task, accuracy=float(row.mean())))
        self.runs[run.run_id] = run
        return run.run_id

    def read(self, run: Record, split: str) -> Answers:
        row = self.correct[run.spec.task.name][int(run.spec.method.name[1:])][run.spec.seed]
        return Answers(pa.array(range(len(row))), np.ones(len(row), dtype=int), row.astype(int))

    def now(self, runs: dict[str, Record] | None = None) -> RaceRecord:
        return replay(self.race, (self.runs if runs is None else runs).get, self.read)

    def made(self, race: RaceRecord) -> list[Record]:
        """The runs that the race asked for."""
        cells = [cell for each in race.comparisons for cell in each.cells]
        return [self.runs[run_id] for cell in cells for run_id in cell.run_ids[: cell.n_seeds]]

    def table(self, records: list[Record], split: Split = "test") -> Table:
        labelled = label_races(records, [self.now()])
        return make_table(labelled, layout_of_all(labelled), TableSpec(split=split), self.read)


def asked(race: RaceRecord) -> set[str]:
    return {run_id for each in race.comparisons for cell in each.cells for run_id in cell.run_ids[: cell.n_seeds]}


def test_what_is_far_below_leaves_at_the_first_look_and_what_is_close_races_on() -> None:
    (found,) = Field([2.0, 1.95, 0.3]).now().comparisons
    assert [cell.n_seeds for cell in found.cells] == [8, 8, 3]
    assert [cell.left_at for cell in found.cells] == [None, None, 1]
    assert sorted(cell.standing for cell in found.cells) == ["best", "tied", "worse"]
    assert (found.end, found.look) == ("seeds used up", 3)


def test_it_ends_when_all_are_separated_or_equivalent() -> None:
    (apart,) = Field([2.5, 0.8, 0.3]).now().comparisons
    assert (apart.end, apart.look) == ("separated", 1)
    (alike,) = Field([1.5, 1.5, 0.0], margin=0.2).now().comparisons
    assert (alike.end, alike.look) == ("equivalent", 1)
    assert [cell.n_seeds for cell in alike.cells] == [3, 3, 3]


@pytest.mark.parametrize("seed", range(3))
def test_stopped_anywhere_it_goes_on_to_the_same_verdict(seed: int) -> None:
    """Run after run, asked anew each time; nobody looks at a run that was not asked for."""
    field = Field([1.6, 1.5, 1.2, 0.9], tasks=2, n=300, seed=seed)
    made: dict[str, Record] = {}
    while missing := sorted(asked(field.now(made)) - made.keys()):
        made[missing[seed % len(missing)]] = field.runs[missing[seed % len(missing)]]
    assert field.now(made) == field.now()
    assert len(made) < len(field.runs)


@pytest.mark.parametrize("seed", range(8))
def test_each_look_is_the_tables_test_at_the_level_of_the_look(seed: int) -> None:
    """The first look, written out: every rival's p-value over all looks, corrected over the tasks."""
    field = Field([1.7, 1.45, 1.2, 1.1], tasks=2, n=400, seed=seed)
    p, places = [], []
    for task, comparison in enumerate(group(field.runs.values(), layout_of_all(list(field.runs.values())))):
        few = [Cell(cell.row, cell.column, cell.runs[: LOOKS[0]]) for cell in comparison.cells]
        scored = score_cells(Comparison((), tuple(few)), Measure())
        answered = [found.resampled for found in answer_cells(scored, field.read, "test") if found]
        best = int(np.argmax([one.interval.mean for one in scored]))
        for pair in Sharing(scored).of(best):
            rival = pair.a + pair.b - best
            lead = difference(answered[best], answered[rival], pair.pooled)
            p.append(float(lead.uncertainty.worse_p(lead.mean)))
            places.append((task, rival))
    adjusted = holm(p_over_looks(np.array(p), LOOKS, 0))
    worse = {place for place, value in zip(places, adjusted, strict=True) if value <= 0.05}
    left = {
        (task, place)
        for task, comparison in enumerate(field.now().comparisons)
        for place, cell in enumerate(comparison.cells)
        if cell.left_at == 1
    }
    assert left == worse


def test_a_method_without_a_score_leaves_without_a_verdict() -> None:
    field = Field([2.0, 1.95, 1.9])
    (comparison,) = field.race.comparisons
    for run_id in comparison.cells[2].run_ids:
        field.runs[run_id] = field.runs[run_id].model_copy(update={"status": "diverged", "metrics": {}})
    (found,) = field.now().comparisons
    assert (found.cells[2].left_at, found.cells[2].standing, found.cells[2].n_seeds) == (1, "", 3)
    assert found.cells[0].n_seeds > 3


def test_without_predictions_nothing_is_decided() -> None:
    field = Field([2.5, 0.3])
    (found,) = replay(field.race, field.runs.get, lambda run, split: None).comparisons
    assert [(cell.n_seeds, cell.standing) for cell in found.cells] == [(8, ""), (8, "")]


def test_a_table_shows_the_races_verdict_and_its_seeds() -> None:
    field = Field([2.0, 1.95, 0.3])
    text = to_markdown(field.table(field.made(field.now())))
    bold = {method for method in ("m0", "m1", "m2") for line in text.splitlines() if f"| {method} | **" in line}
    assert bold == {"m0", "m1"}
    assert text.count("★") == 1
    assert "raced: found worse at look 1 of 3, on 3 seeds" in text
    assert "raced: not found worse at look 3 of 3, on 8 seeds" in text
    assert "no run of seed" not in text
    assert "of 8)" not in text
    assert "looked at after 3, 5, 8 seeds" in text
    assert "Holm" not in text


def test_no_fresh_test_is_made_of_raced_cells() -> None:
    field = Field([2.0, 1.9, 0.3])
    records = label_races(field.made(field.now()), [field.now()])
    layout = layout_of_all(records)
    assert compare_pairs(group(records, layout), lambda run: run.spec.method.name, Measure(), field.read) == []
    assert "raced on another metric or split" in to_markdown(field.table(records, "validation"))


def test_a_row_beside_the_race_and_other_runs_are_not_compared() -> None:
    field = Field([2.0, 1.95, 0.3])
    outsider = Record.model_validate(make_record("m0", 0, task="t0", training={"learning_rate": 1e-5}))
    assert "not in the race of the others" in to_markdown(field.table([*field.made(field.now()), outsider]))
    text = to_markdown(field.table([run for run in field.made(field.now()) if run.spec.seed != 1]))
    assert "the race judged other runs" in text
    assert "**" not in text


def test_an_unfinished_race_says_so() -> None:
    field = Field([2.0, 1.95, 0.3])
    three = {run_id: run for run_id, run in field.runs.items() if run.spec.seed < 3}
    labelled = label_races(three.values(), [field.now(three)])
    text = to_markdown(make_table(labelled, layout_of_all(labelled), TableSpec(), field.read))
    assert "at look 1 of 3, on 3 seeds; the race is not finished" in text


def test_looks_are_not_chosen_anew_after_a_look(tmp_path: Path) -> None:
    field = Field([2.0, 1.0])
    save_race(field.now(), tmp_path)
    save_race(field.now(), tmp_path)
    assert find_races(tmp_path) == [field.now()]
    with pytest.raises(SpecError, match="its level is spent"):
        save_race(field.race.model_copy(update={"name": "race-2", "looks": [2, 8]}), tmp_path)
    other = Field([2.0, 1.0], tasks=2)
    other.race.comparisons.pop(0)
    save_race(other.race.model_copy(update={"name": "race-3"}), tmp_path)


def test_an_unreadable_race_is_told(tmp_path: Path) -> None:
    (tmp_path / "races").mkdir()
    (tmp_path / "races" / "race-1.json").write_text("{")
    with pytest.warns(match="not a readable race"):
        assert find_races(tmp_path) == []
