"""Optuna's own figures of a study."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.errors import SpecError
from harness.figure import Figure
from harness.libraries.extras import need
from harness.search.record import find_studies
from harness.search.url import masked

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class StudyFigures(Figure):
    """Optuna's figures of one study: history, importances of the parameters, slices.

    With several objectives each has its own. Importances need two finished trials.
    """

    source = "Optuna, https://optuna.readthedocs.io/en/stable/reference/visualization/matplotlib/index.html"
    arguments: ClassVar[tuple[str, ...]] = ("study",)
    is_many: ClassVar[bool] = True

    study: str = Field(description="Name of the study, see results/studies/.")
    storage: str | None = Field(None, description="Database URL, if the search had one.")

    def draw(self, results: Path) -> dict[str, Any]:
        """The figures by ``<study>-<figure>``.

        Raises:
            SpecError: no such study, no matplotlib, or a storage that can't be used.
        """
        import optuna

        from harness.search.storage import open_storage

        need("matplotlib.pyplot", "tables").switch_backend("agg")
        record = find_studies(results, [self.study])[0]
        objectives = record.search.objectives
        kinds = ["history", "importances", "slice"] if len(record.completed) > 1 else ["history", "slice"]
        drawn = {}
        with open_storage(self.storage, results / "studies", self.study) as shared:
            try:
                study = optuna.load_study(study_name=self.study, storage=shared.storage)
            except KeyError:
                raise SpecError(self._lost(results)) from None
            for index, objective in enumerate(objectives):
                for kind in kinds:
                    several = len(objectives) > 1
                    name = "-".join([self.study, *([objective] if several else []), kind])
                    drawn[name] = _draw(study, kind, index if several else None, objective)
        return drawn

    def _lost(self, results: Path) -> str:
        database = f"--storage {masked(self.storage)}" if self.storage else ""
        return f"the trials of study {self.study!r} are not in " + (
            database or f"{results / 'studies'}; give the --storage it has"
        )


def _draw(study: "Study", kind: str, index: int | None, objective: str) -> Any:
    from matplotlib import pyplot, rc_context
    from optuna.visualization import matplotlib as visualization

    functions: dict[str, Callable[..., Any]] = {
        "history": visualization.plot_optimization_history,
        "importances": visualization.plot_param_importances,
        "slice": visualization.plot_slice,
    }
    # Importances are those of reaching low values, as Optuna warns; costs are low, quality is not.
    sign = -1 if kind == "importances" and objective == "quality" else 1

    def target(trial: "FrozenTrial") -> float:
        return sign * trial.values[index or 0]

    with rc_context(), warnings.catch_warnings(action="ignore"):
        functions[kind](study, target=None if index is None else target, target_name=objective)
        drawing = pyplot.gcf()
        pyplot.close(drawing)
    return drawing
