"""What a study leaves behind, readable without optuna: results/studies/<name>.json."""

import math
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from harness.core.errors import HarnessError, HarnessWarning, SpecError, unknown
from harness.core.spec import RunSpec, chosen, merge, nested, parse_spec
from harness.method import make_method
from harness.metric import metric_named
from harness.probe import Quantity
from harness.recipe import make_recipe
from harness.search.spec import SearchSpec
from harness.storage.files import one_line
from harness.storage.record import Part

TrialStatus = Literal["complete", "pruned", "infeasible", "failed"]
"""Infeasible is a trial outside the search's constraints."""


class TrialRecord(Part):
    """One finished trial."""

    number: int
    status: TrialStatus
    reason: str | None = Field(None, description="Why the trial failed.")
    params: dict[str, Any] = Field(description="Proposed values by the field of the spec that they set.")
    values: list[float] = Field(description="One for each objective; of a pruned trial, the last validation.")
    run_ids: list[str] = Field(description="Runs that ended, one for each seed; a pruned run leaves no record.")
    steps: int = Field(description="Optimizer steps of all its runs, up to the last validation.")
    seconds: float = Field(description="Wall-clock time of the trial.")


class StudyRecord(Part):
    """One study."""

    name: str
    spec: RunSpec = Field(description="The cell, resolved: the spec of trial 0 but for the seed.")
    search: SearchSpec
    metric: str = Field(description="Primary metric of the task.")
    trials: list[TrialRecord] = Field(description="Finished trials by number; trial 0 is the published default.")
    best: list[int] = Field(description="Number of the best trial; with several objectives, the Pareto front.")
    is_finished: bool = Field(description="Whether the budget is spent.")

    @model_validator(mode="after")
    def _consistent(self) -> "StudyRecord":
        numbers = {trial.number for trial in self.trials}
        if len(numbers) < len(self.trials) or not numbers.issuperset(self.best):
            raise ValueError("its trials are not numbered once each, or its best is none of them")
        if any(len(t.values) != len(self.search.objectives) for t in self.trials if t.status == "complete"):
            raise ValueError("a complete trial has not one value for each objective")
        return self

    @property
    def completed(self) -> list[TrialRecord]:
        """The trials that did not fail."""
        return [trial for trial in self.trials if trial.status != "failed"]

    @property
    def seconds(self) -> float:
        """Seconds of all trials."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def steps(self) -> int:
        """Optimizer steps of all trials."""
        return sum(trial.steps for trial in self.trials)

    @cached_property
    def n_trials_won(self) -> dict[int, int]:
        """Number of a trial that was the best one → of how many trials, counted from the first, it was."""
        won: dict[int, int] = {}
        costs = self.search.costs
        front: dict[int, list[float]] = {}
        for n, trial in enumerate(self.trials, 1):
            if trial.status == "complete":
                front = _advanced(front, trial.number, _gains(trial, costs, self.metric))
            if len(front) == 1:
                won[next(iter(front))] = n
        return won

    def within(self, search: SearchSpec) -> "StudyRecord":
        """The study as it was when a smaller budget was spent: no method gets more than the others of a suite."""
        kept: list[TrialRecord] = []
        for trial in self.trials:
            spent = len(kept), sum(trial.seconds for trial in kept)
            if spent[0] >= (search.trials or math.inf) or spent[1] >= (search.budget_seconds or math.inf):
                break
            kept.append(trial)
        return self.model_copy(
            update={"search": search, "trials": kept, "best": best_trials(kept, search, self.metric)}
        )

    def trial(self, number: int) -> TrialRecord:
        """A trial by its number.

        Raises:
            HarnessError: the study has no such trial, or none has ended yet.
        """
        found = next((trial for trial in self.trials if trial.number == number), None)
        if found is None:
            raise HarnessError(f"study {self.name} has no trial {number} that ended; search again to go on with it")
        return found

    def spec_of(self, number: int) -> RunSpec:
        """The resolved spec that a trial ran with each of the search seeds."""
        return with_params(self.spec, self.trial(number).params)


def best_trials(trials: Sequence[TrialRecord], search: SearchSpec, metric: str) -> list[int]:
    """Numbers of the complete trials that no other one dominates; with one objective, the first of the best."""
    front: dict[int, list[float]] = {}
    costs = search.costs
    for trial in trials:
        if trial.status == "complete":
            front = _advanced(front, trial.number, _gains(trial, costs, metric))
    return list(front)


def _advanced(front: dict[int, list[float]], number: int, gains: list[float]) -> dict[int, list[float]]:
    """The front of the best after one more trial; of equal values of a single objective the first stays alone."""
    if any(_dominates(other, gains) or (len(gains) == 1 and other == gains) for other in front.values()):
        return front
    return {place: other for place, other in front.items() if not _dominates(gains, other)} | {number: gains}


def _gains(trial: TrialRecord, costs: Sequence[Quantity | None], metric: str) -> list[float]:
    """The values, so that higher is better."""
    sign = metric_named(metric).sign
    return [-cost.loss(value) if cost else sign * value for cost, value in zip(costs, trial.values, strict=True)]


def _dominates(one: list[float], other: list[float]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def with_params(spec: RunSpec, params: dict[str, Any]) -> RunSpec:
    """The resolved spec with proposed values in it, resolved again: 4 is 4.0 where a method wants a float."""
    data = spec.model_dump() | {"recipe": {recipe.name: recipe.settings for recipe in spec.recipes}}
    data = merge(data, nested(params))
    data["recipes"] = chosen("recipe", [recipe.name for recipe in spec.recipes], data.pop("recipe"))
    changed = parse_spec(data)
    settings = make_method(changed.method).model_dump(mode="json")
    recipes = [{"name": recipe.name} | make_recipe(recipe).model_dump(mode="json") for recipe in changed.recipes]
    return changed.updated(method=settings, recipes=recipes)


def read_study(path: Path) -> StudyRecord:
    """A study from its file.

    Raises:
        HarnessError: the file can't be read as a study, or as the one it is named after.
    """
    try:
        study = StudyRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        problem = f"{path} is not a readable study ({one_line(error)})"
    else:
        if study.name == path.stem:
            return study
        problem = f"{path} is not a readable study (it calls itself {study.name!r})"
    raise HarnessError(f"{problem}; run its search again to rewrite it")


def find_studies(results: Path, names: Sequence[str] = ()) -> list[StudyRecord]:
    """The studies of a results folder, or those named, in the order of their names.

    Without names one that can't be read is left out, and a ``HarnessWarning`` says so.

    Raises:
        SpecError: an unknown name, or there is no study at all.
        HarnessError: a named study can't be read.
    """
    paths = {path.stem: path for path in sorted((results / "studies").glob("*.json"))}
    if names and not paths:
        raise SpecError(f"no study in {results / 'studies'}; `harness search` makes one")
    for name in names:
        if name not in paths:
            raise unknown("study", name, paths)
    if names:
        return [read_study(path) for name, path in paths.items() if name in names]
    return [study for path in paths.values() if (study := readable_study(path))]


def readable_study(path: Path) -> StudyRecord | None:
    """A study from its file, or None with a ``HarnessWarning`` where it can't be read."""
    try:
        return read_study(path)
    except HarnessError as error:
        warnings.warn(f"a study is left out: {error}", HarnessWarning, stacklevel=3)
        return None
