"""``harness plot budget`` and ``harness plot study``: figures of searches."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, path
from harness.cli.plot import Out, plot


@plot.command()
def budget(
    studies: Annotated[list[str] | None, typer.Argument(help="Studies, by their names; default: all.")] = None,
    results: Results = RESULTS,
    out: Out = Path("budget.png"),
) -> None:
    """Expected best validation score after k trials of each method: which is best at your budget.

    The band is one standard deviation of the best of k trials (Dodge et al. 2019).
    """
    from harness.core.errors import SpecError
    from harness.figures.budget import budget_panels
    from harness.figures.drawing import curve_figure, save
    from harness.search.record import find_studies

    panels = budget_panels(find_studies(results, studies or []))
    if not panels:
        raise SpecError(f"no study of quality alone in {results / 'studies'}; `harness search` makes one")
    save(curve_figure(panels, "trials", "expected best validation score"), out)
    say(out)


@plot.command()
def study(
    name: Annotated[str, typer.Argument(help="Name of the study, see results/studies/.")],
    storage: Annotated[str | None, typer.Option(help="Database URL, if the search had one.")] = None,
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="Folder of the figures.", parser=path)] = Path("."),
) -> None:
    """Optuna's figures of one study: history, importances of the parameters, slices."""
    from harness.figures.optuna_figures import draw_study

    for figure in draw_study(name, storage, results, out):
        say(figure)
