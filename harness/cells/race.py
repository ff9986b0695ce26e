"""What a race has decided: results/races/<name>.json, and the records it speaks of.

In a race the cells of a comparison get more seeds only while that can change its verdict. A table can't judge such
cells by a fresh test: how many seeds a cell has depends on its scores. It shows what the race decided at its looks.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import Field, ValidationError

from harness.cells.scores import Scored
from harness.core.errors import HarnessWarning, SpecError, StorageError
from harness.storage.files import one_line, write_json
from harness.storage.record import Part, Record

RACED = "raced"
"""Field that ``label_races`` adds."""

Standing = Literal["best", "tied", "worse", ""]
"""The highest mean of what is in the race; may be the best too; found worse; not compared yet."""

End = Literal["", "separated", "equivalent", "seeds used up"]


class RacedCell(Part):
    """A method in a race."""

    label: str
    run_ids: list[str] = Field(description="Its run with each seed, made or not.")
    n_seeds: int = Field(0, description="On how many of the seeds it was asked to run.")
    left_at: int | None = Field(None, description="The look, from 1, at which it left: worse, or without any score.")
    standing: Standing = ""


class RacedComparison(Part):
    """The cells that race each other."""

    setting: dict[str, str] = Field(
        description="Task, base, quantization, and the number of training examples where it is an axis."
    )
    margin: float = Field(description="Methods closer than this are equivalent.")
    cells: list[RacedCell]
    look: int = Field(0, description="The last look that was taken at it, from 1.")
    end: End = Field("", description="Why it ended.")

    @property
    def racing(self) -> list[int]:
        """The places of the cells that have not left."""
        return [place for place, cell in enumerate(self.cells) if cell.left_at is None]


class RaceRecord(Part):
    """Comparisons whose level is spent together."""

    name: str
    seeds: list[int]
    looks: list[int] = Field(description="Seeds at each look; the last has all of them.")
    comparisons: list[RacedComparison]

    @property
    def run_ids(self) -> set[str]:
        """Of all its cells."""
        return {run_id for each in self.comparisons for cell in each.cells for run_id in cell.run_ids}


def find_races(results: Path) -> list[RaceRecord]:
    """The races of a results folder; a ``HarnessWarning`` names one that can't be read."""
    races = []
    for path in sorted((results / "races").glob("*.json")):
        try:
            races.append(RaceRecord.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            text = f"{path} is not a readable race ({one_line(error)}); run its suite again to rewrite it"
            warnings.warn(text, HarnessWarning, stacklevel=2)
    return races


def save_race(race: RaceRecord, results: Path) -> None:
    """Write a race.

    Raises:
        SpecError: runs of it were raced otherwise, so that their level is spent.
        StorageError: it can't be written.
    """
    for other in find_races(results):
        if other.name != race.name and race.run_ids & other.run_ids:
            raise SpecError(
                f"race {other.name} in {results / 'races'} has looked at these runs with other methods, tasks, seeds, "
                "looks or worth_claiming: its level is spent, and choosing anew after a look would err more often than "
                "5 %; restore the suite, or use another --results"
            )
    path = results / "races" / f"{race.name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            write_json(path, race.model_dump(mode="json"))
    except OSError as error:
        raise StorageError(f"can't write {path}: {error}; free some room and run the suite again") from None


@dataclass(frozen=True)
class Raced:
    """The cell of a race that a record belongs to."""

    race: RaceRecord
    comparison: RacedComparison
    cell: RacedCell

    @property
    def seeds(self) -> frozenset[int]:
        """Those that the race asked for."""
        return frozenset(self.race.seeds[: self.cell.n_seeds])

    @property
    def look(self) -> int:
        """The last one that was taken at the cell, from 1; 0 for none."""
        return self.cell.left_at or self.comparison.look

    @property
    def judged(self) -> set[str]:
        """The runs that were looked at."""
        return set(self.cell.run_ids[: self.race.looks[self.look - 1]]) if self.look else set()

    @property
    def note(self) -> str:
        """How the race went for the cell."""
        if not self.look:
            return "raced: no look was taken yet"
        at = f"at look {self.look} of {len(self.race.looks)}, on {self.race.looks[self.look - 1]} seeds"
        if self.cell.left_at:
            return f"raced: {'found worse' if self.cell.standing == 'worse' else 'left without a score'} {at}"
        if self.comparison.end == "equivalent":
            return f"raced: equivalent within {self.comparison.margin:g} {at}"
        return f"raced: not found worse {at}" + ("" if self.comparison.end else "; the race is not finished")


def label_races(records: Iterable[Record], races: Sequence[RaceRecord]) -> list[Record]:
    """The records, with a field ``raced`` where they are a race's: the cell of the race."""
    if not races:
        return list(records)
    raced = {
        run_id: Raced(race, comparison, cell)
        for race in races
        for comparison in race.comparisons
        for cell in comparison.cells
        for run_id in cell.run_ids
    }
    return [
        record.model_copy(update={RACED: raced[record.run_id]}) if record.run_id in raced else record
        for record in records
    ]


def _raced(run: Record) -> Raced | None:
    """A record's label; read without asking pydantic for a field that most have not."""
    return (run.model_extra or {}).get(RACED)


def raced_cell(scored: Scored) -> Raced | None:
    """The cell of a race that a table's cell shows."""
    return next((label for run in scored.cell.runs if (label := _raced(run))), None)


def judged_cells(cells: Sequence[Scored]) -> dict[int, Raced]:
    """Of the cells of a comparison those that raced each other, by place; of several races the one with the most."""
    found = {place: raced for place, cell in enumerate(cells) if (raced := raced_cell(cell))}
    counts = Counter(id(raced.comparison) for raced in found.values())
    if not counts:
        return {}
    ((comparison, _),) = counts.most_common(1)
    return {place: raced for place, raced in found.items() if id(raced.comparison) == comparison}


def race_sentence(records: Iterable[Record]) -> str:
    """How raced cells among the records were judged, for a footer; empty where there are none."""
    races = {raced.race.name: raced.race for run in records if (raced := _raced(run))}
    looks = sorted({", ".join(map(str, race.looks)) for race in races.values()})
    if not looks:
        return ""
    return (
        f"Raced: a cell got more seeds only until it was found worse, looked at after {' or '.join(looks)} seeds. What "
        "is bold there is the race's own verdict on the primary metric: the best is dropped in at most 5 % of races, "
        "all looks and all comparisons of a race together. Means of cells that were found worse early are a little too "
        "low."
    )
