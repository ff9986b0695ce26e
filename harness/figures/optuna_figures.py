"""Optuna's own figures of a study."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import SpecError
from harness.libraries.extras import need
from harness.search.record import find_studies
from harness.search.storage import open_storage
from harness.search.url import masked

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def draw_study(name: str, storage: str | None, results: Path, folder: Path) -> Iterator[Path]:
    """Write history, importances and slices as ``<name>-<figure>.png`` to the folder; yields each path.

    With several objectives each has its own. Importances need two finished trials.

    Raises:
        SpecError: no such study, no matplotlib, or a folder or storage that can't be used.
    """
    import optuna

    need("matplotlib.pyplot", "tables").switch_backend("agg")
    record = find_studies(results, [name])[0]
    several = len(record.search.objectives) > 1
    figures = ["history", "importances", "slice"] if len(record.completed) > 1 else ["history", "slice"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"can't write figures to {folder}: {error.strerror}; choose another --out") from None
    with open_storage(storage, results / "studies", name) as shared:
        try:
            study = optuna.load_study(study_name=name, storage=shared.storage)
        except KeyError:
            place = f"--storage {masked(storage)}" if storage else f"{results / 'studies'}; give the --storage it has"
            raise SpecError(f"the trials of study {name!r} are not in {place}") from None
        for index, objective in enumerate(record.search.objectives):
            for figure in figures:
                path = folder / "-".join([name, *([objective] if several else []), f"{figure}.png"])
                _draw(study, figure, index if several else None, objective, path)
                yield path


def _draw(study: "Study", figure: str, index: int | None, objective: str, path: Path) -> None:
    from matplotlib import pyplot, rc_context
    from optuna.visualization import matplotlib as visualization

    functions: dict[str, Callable[..., Any]] = {
        "history": visualization.plot_optimization_history,
        "importances": visualization.plot_param_importances,
        "slice": visualization.plot_slice,
    }

    # Importances are those of reaching low values, as Optuna warns; costs are low, quality is not.
    sign = -1 if figure == "importances" and objective == "quality" else 1

    def target(trial: "FrozenTrial") -> float:
        return sign * trial.values[index or 0]

    with rc_context(), warnings.catch_warnings(action="ignore"):
        functions[figure](study, target=None if index is None else target, target_name=objective)
        pyplot.savefig(path, bbox_inches="tight")
        pyplot.close()
