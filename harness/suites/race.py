"""The race of a suite: which of its cells get more seeds. Imports no torch."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cells.applied import needs_of
from harness.cells.looks import replay
from harness.cells.race import RacedCell, RacedComparison, RaceRecord, save_race
from harness.core.spec import digest
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.suites.plan import Costs, Expected, PlannedCell
from harness.suites.race_power import chance_of_seeds
from harness.suites.suite import Suite


@dataclass(frozen=True)
class Race:
    """The cells of a suite that race, over the results that there are.

    The tasks of one base and quantization are one race, as their verdicts are corrected together in a table. Cells that
    can't run, or whose data is out of reach, are in none; they are planned for the first look's seeds, so that a record
    says why.
    """

    suite: Suite
    planned: Sequence[PlannedCell]
    results: Path

    def now(self) -> list[RaceRecord]:
        """The races as far as the runs go."""
        store = Store(self.results)
        records = [found for cell in self.planned if cell.run_id and (found := store.find(cell.run_id))]
        by_id = {record.run_id: record for record in records}
        return [replay(race, by_id.get, reader(store, needs_of(records, None))) for race in self._at_start()]

    def rounds(self) -> Iterator[list[PlannedCell]]:
        """Cells to run, look after look, until the races have ended; they are written as they stand each time.

        Raises:
            SpecError: their runs were raced otherwise before.
            StorageError: they can't be written.
        """
        given: set[str | None] = set()
        while True:
            races = self.now()
            for race in races:
                save_race(race, self.results)
            cells = [cell for cell in self.wanted(races) if cell.job and cell.run_id not in given]
            if not cells:
                return
            given |= {cell.run_id for cell in cells}
            yield cells

    def wanted(self, races: Iterable[RaceRecord]) -> list[PlannedCell]:
        """The cells of all looks so far, and of the one that comes next."""
        assert self.suite.race
        races = list(races)
        raced = set().union(*(race.run_ids for race in races))
        asked = {
            run_id
            for race in races
            for each in race.comparisons
            for cell in each.cells
            for run_id in cell.run_ids[: cell.n_seeds]
        }
        first = set(self.suite.seeds[: self.suite.race.looks[0]])
        return [
            cell for cell in self.planned if (cell.run_id in asked if cell.run_id in raced else cell.spec.seed in first)
        ]

    def chances(self, races: Iterable[RaceRecord]) -> list[tuple[PlannedCell, float]]:
        """The cells that are wanted, with 1, and those that may yet be, with how likely that is."""
        races = list(races)
        by_id: dict[str | None, float] = {}
        for race in races:
            for each in race.comparisons:
                by_id |= _chances(race, each)
        by_id |= {cell.run_id: 1.0 for cell in self.wanted(races)}
        return [(cell, by_id[cell.run_id]) for cell in self.planned if cell.run_id in by_id]

    def _at_start(self) -> list[RaceRecord]:
        assert self.suite.race
        seeds, looks = list(dict.fromkeys(self.suite.seeds)), self.suite.race.looks
        families: defaultdict[tuple[str, str], list[RacedComparison]] = defaultdict(list)
        for comparison in self._comparisons():
            families[comparison.setting["base"], comparison.setting["quantization"]].append(comparison)
        races = []
        for comparisons in families.values():
            name = digest([seeds, looks, [each.model_dump() for each in comparisons]], 8)
            races.append(RaceRecord(name=f"race-{name}", seeds=seeds, looks=looks, comparisons=comparisons))
        return races

    def _comparisons(self) -> Iterator[RacedComparison]:
        """Of each task, base, quantization and number of training examples, with the cells that can run."""
        settings: defaultdict[tuple[tuple[str, str], ...], dict[str, list[PlannedCell]]] = defaultdict(dict)
        for cell in self.planned:
            of_spec = cell.spec.model_copy(update={"seed": 0}).model_dump_json()
            settings[self._setting(cell)].setdefault(of_spec, []).append(cell)
        for setting, by_spec in settings.items():
            cells = [
                RacedCell(label=runs[0].label, run_ids=[run.run_id for run in runs if run.run_id])
                for runs in by_spec.values()
                if not any(run.run.skip_reason() or run.run_id is None for run in runs)
            ]
            if cells:
                found = dict(setting)
                yield RacedComparison(setting=found, margin=self.suite.smallest_claim(found["task"]), cells=cells)

    def _setting(self, cell: PlannedCell) -> tuple[tuple[str, str], ...]:
        """What the cells of a comparison share."""
        base, task = cell.spec.base, cell.spec.task
        amount = (("train_limit", str(task.train_limit)),) if self.suite.train_limits else ()
        return (("task", task.name), ("base", base.name), ("quantization", base.quantization), *amount)


def _chances(race: RaceRecord, comparison: RacedComparison) -> dict[str | None, float]:
    """How likely the later runs of what still races are asked for, by simulated races that came as far."""
    if comparison.end:
        return {}
    by_seed = chance_of_seeds(tuple(race.looks), max(2, len(comparison.racing)), comparison.margin)
    chances: dict[str | None, float] = {}
    for cell in (comparison.cells[place] for place in comparison.racing):
        now = by_seed[cell.n_seeds - 1] or 1.0  # where no simulated race came as far, none is expected to go on
        chances |= {cell.run_ids[n]: float(by_seed[n] / now) for n in range(cell.n_seeds, len(cell.run_ids))}
    return chances


def expected_cost(chances: Iterable[tuple[PlannedCell, float]], costs: Costs, n_at_once: int) -> tuple[float, Expected]:
    """How many runs a race is expected to make yet, and their cost."""
    to_run = [(cell, chance) for cell, chance in chances if cell.outlook == "to run"]
    seconds = [(costs.expected_seconds(cell.spec), chance) for cell, chance in to_run]
    known = [value * chance for value, chance in seconds if value is not None]
    n_unknown = len(seconds) - len(known)
    return sum(chance for _, chance in to_run), Expected(sum(known) / n_at_once, len(known), n_unknown)
