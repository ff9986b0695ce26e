"""Experiment trackers that are told of runs, through accelerate's own."""

import importlib.util
import itertools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessWarning, SpecError

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

    from harness.core.spec import RunSpec

Tracker = Literal["tensorboard", "wandb", "mlflow"]

PROJECT = "adaptation-harness"
"""What a run belongs to, in W&B as a project and in MLflow as an experiment."""


def check_installed(tracker: Tracker) -> None:
    """Raise SpecError where the tracker's library is not there."""
    if importlib.util.find_spec(tracker) is None:
        raise SpecError(f"--tracker {tracker} needs {tracker}: pip install {tracker}")


class Tracked:
    """A run that a tracker is told of. Where telling fails a ``HarnessWarning`` says so, once, and the run goes on."""

    def __init__(self, tracker: "GeneralTracker | None" = None) -> None:
        self._tracker = tracker

    def start(self, spec: "RunSpec") -> None:
        """Open the run there, with its spec as hyperparameters."""
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in spec.flat().items()
        }
        self._do("start")
        self._do("store_init_configuration", plain)

    def tell(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name, as they were after so many steps."""
        self._do("log", {name: float(value) for name, value in values.items() if name != "step"}, step=step)

    def finish(self) -> None:
        """Close the run there."""
        self._do("finish")

    def _do(self, action: str, *values: Any, **named: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, action)(*values, **named)
        except Exception as error:
            name, self._tracker = self._tracker.name, None
            text = f"{name} is told nothing more of this run: {type(error).__name__}: {error}"
            warnings.warn(text, HarnessWarning, stacklevel=2)


@contextmanager
def tracked(tracker: Tracker | None, run_id: str, spec: "RunSpec", results: Path, goes_on: bool) -> Iterator[Tracked]:
    """Hold a run open at a tracker; None: nobody is told.

    TensorBoard's files lie in ``trackers/`` of the results; where W&B and MLflow keep theirs their own environment
    variables say.

    Args:
        tracker: Who is told.
        run_id: The name of the run there.
        spec: Its hyperparameters.
        results: Folder of runs and studies.
        goes_on: Whether the run goes on from a checkpoint. If not, what TensorBoard has of an earlier try is put aside
            under a number, so that it doesn't draw two curves as one.
    """
    if tracker == "tensorboard" and not goes_on:
        _put_aside(results / "trackers" / run_id)
    run = Tracked(_made(tracker, run_id, results) if tracker else None)
    run.start(spec)
    try:
        yield run
    finally:
        run.finish()


def _put_aside(folder: Path) -> None:
    if folder.exists():
        number = next(n for n in itertools.count(1) if not folder.with_suffix(f".{n}").exists())
        folder.rename(folder.with_suffix(f".{number}"))


def _made(tracker: Tracker, run_id: str, results: Path) -> "GeneralTracker":
    from accelerate import tracking

    if tracker == "tensorboard":
        return tracking.TensorBoardTracker(run_id, results / "trackers")
    if tracker == "wandb":
        return tracking.WandBTracker(PROJECT, name=run_id)
    return tracking.MLflowTracker(PROJECT, run_name=run_id)
