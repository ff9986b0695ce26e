"""Options and behaviour that several commands share."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.usage import one_of
from harness.core.errors import SpecError
from harness.libraries.trackers import Tracker


def path(text: str | Path) -> Path:
    """A path; nothing is not the current folder.

    Raises:
        SpecError: the text is empty.
    """
    if not str(text):
        raise SpecError("a path on the command line is empty; the current folder is called .")
    return Path(text)


Results = Annotated[Path, typer.Option(help="Folder with the results.", parser=path)]
RESULTS = Path("results")

Recipes = Annotated[
    list[str] | None,
    typer.Option(help="Recipe, see `list recipes`; may be repeated, the first is outermost.", show_default=False),
]

CheckpointEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Keep the state of training after every so many steps, from which an interrupted run goes on.",
        show_default=False,
    ),
]

Track = Annotated[
    Tracker | None,
    typer.Option(
        "--tracker",
        help="Tell a tracker of new runs: their specs, curves and results. TensorBoard: `tensorboard --logdir "
        "results/trackers`; wandb and mlflow as their own variables say.",
        show_default=False,
        **one_of("--tracker", Tracker),
    ),
]


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's cycle collector is off inside; also a decorator.

    For commands that read records and end: none of them becomes garbage, and walking through 10,000 of them again and
    again takes longer than reading them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
