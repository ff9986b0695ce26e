"""Figures of one study: how it went, and what mattered."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.errors import SpecError
from harness.core.units import Unit
from harness.figure import Figure
from harness.figures._drawing import COLORS, draw_panels, metric_label, plain, show_unit
from harness.figures._panels import Panel
from harness.metric import metric_named
from harness.search.record import StudyRecord, TrialRecord, find_studies
from harness.search.url import masked

if TYPE_CHECKING:
    from optuna.study import Study


class StudyFigures(Figure):
    """Figures of one study: its history, the importances of its parameters, and each parameter's trials.

    With several objectives each has its own. Importances need two finished trials.
    """

    source = "Hutter et al. 2014 (importances), https://proceedings.mlr.press/v32/hutter14.html, as Optuna has it"
    arguments: ClassVar[tuple[str, ...]] = ("study",)
    is_many: ClassVar[bool] = True

    study: str = Field(description="Name of the study, see results/studies/.")
    storage: str | None = Field(None, description="Database URL, if the search had one.")

    def draw(self, results: Path) -> dict[str, Any]:
        """The figures by ``<study>-<figure>``.

        Raises:
            SpecError: no such study, no finished trial, no matplotlib, or a storage that can't be used.
        """
        record = find_studies(results, [self.study])[0]
        if not any(trial.values for trial in record.trials):
            raise SpecError(f"no trial of study {self.study!r} has a value yet; search again to go on with it")
        importances = self._importances(results, record)
        drawn = {}
        for place, objective in enumerate(record.search.objectives):
            name = "-".join([self.study, *([objective] if len(record.search.objectives) > 1 else [])])
            values = Objective(record, place)
            drawn[f"{name}-history"] = values.history(self.inches)
            if place in importances:
                drawn[f"{name}-importances"] = draw_importances(importances[place], self.inches)
            drawn[f"{name}-slice"] = values.slices(self.inches)
        return drawn

    def _importances(self, results: Path, record: StudyRecord) -> dict[int, dict[str, float]]:
        """By objective, the share of the variance that each parameter explains; nothing for fewer than two trials."""
        import optuna

        from harness.search.storage import open_storage

        with open_storage(self.storage, results / "studies", self.study) as shared:
            try:
                study = optuna.load_study(study_name=self.study, storage=shared.storage)
            except KeyError:
                raise SpecError(self._lost(results)) from None
            if len(record.completed) < 2:
                return {}
            return {
                place: _importances_of(study, -1 if objective == "quality" else 1, place)
                for place, objective in enumerate(record.search.objectives)
            }

    def _lost(self, results: Path) -> str:
        database = f"--storage {masked(self.storage)}" if self.storage else ""
        return f"the trials of study {self.study!r} are not in " + (
            database or f"{results / 'studies'}; give the --storage it has"
        )


def _importances_of(study: "Study", sign: int, place: int) -> dict[str, float]:
    """Importances are those of reaching low values, as Optuna warns; costs are low, quality is not."""
    import optuna

    with warnings.catch_warnings(action="ignore"):
        return optuna.importance.get_param_importances(study, target=lambda trial: sign * trial.values[place])


class Objective:
    """One objective of a study, as it is shown: quality in percent where its metric is."""

    def __init__(self, record: StudyRecord, place: int) -> None:
        cost = record.search.costs[place]
        metric = metric_named(record.metric)
        self.label = cost.label if cost else metric_label([metric], "validation")
        self.unit: Unit | None = cost.unit if cost else None
        self._scale = 1 if cost or not metric.is_percent else 100
        self._is_high = cost.higher_is_better if cost else metric.higher_is_better
        self._trials = [trial for trial in record.trials if len(trial.values) > place]
        self._values = np.array([self._scale * trial.values[place] for trial in self._trials])

    def history(self, inches: float | None) -> Any:
        """The value of each trial by its number, and the best complete one so far."""
        numbers = [trial.number for trial in self._trials]
        worst = -np.inf if self._is_high else np.inf
        complete = np.where([trial.status == "complete" for trial in self._trials], self._values, worst)
        best = (np.maximum if self._is_high else np.minimum).accumulate(complete)

        def draw(axis: Any, panel: Panel[Any]) -> None:
            self._scatter(axis, numbers, self._trials)
            known = np.isfinite(best)
            axis.step(np.array(numbers)[known], best[known], where="post", color=COLORS[1], label="best so far")

        return draw_panels([Panel("", ())], draw, "trial", self.label, inches)

    def slices(self, inches: float | None) -> Any:
        """The value of each trial by what it proposed, a panel for each parameter."""
        names = sorted({name for trial in self._trials for name in trial.params})

        def draw(axis: Any, panel: Panel[str]) -> None:
            (name,) = panel.parts
            having = [trial for trial in self._trials if name in trial.params]
            proposed: list[Any] = [trial.params[name] for trial in having]
            is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in proposed)
            self._scatter(axis, proposed if is_number else [plain(str(value)) for value in proposed], having)
            if is_number and min(proposed) > 0 and max(proposed) > 30 * min(proposed):
                axis.set_xscale("log")

        panels = [Panel(name.replace(".", " "), (name,)) for name in names]
        return draw_panels(panels, draw, "proposed value", self.label, inches)

    def _scatter(self, axis: Any, x: Sequence[Any], trials: Sequence[TrialRecord]) -> None:
        """Complete trials filled, others open."""
        kept = {id(trial) for trial in trials}
        values = [value for trial, value in zip(self._trials, self._values, strict=True) if id(trial) in kept]
        marks = {"complete": "o", "pruned": "o", "infeasible": "v", "failed": "X"}
        for status, mark in marks.items():
            chosen = [place for place, trial in enumerate(trials) if trial.status == status]
            if chosen:
                axis.plot(
                    [x[place] for place in chosen],
                    [values[place] for place in chosen],
                    mark,
                    color=COLORS[0],
                    markerfacecolor=COLORS[0] if status == "complete" else "white",
                    markersize=4,
                    label=status,
                )
        if self.unit is not None:
            show_unit(axis.yaxis, self.unit)


def draw_importances(importances: dict[str, float], inches: float | None) -> Any:
    """A bar for each parameter, the most important above."""

    def draw(axis: Any, panel: Panel[Any]) -> None:
        names = list(reversed(importances))
        axis.barh([plain(name) for name in names], [100 * importances[name] for name in names], color=COLORS[0])

    return draw_panels([Panel("", ())], draw, "explained variance (percent)", "", inches)
