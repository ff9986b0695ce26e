"""The commands, put together; errors become one message and an exit code."""

import sys
import warnings
from typing import Any

import click
import typer

from harness.cli import catalog, check, doctor, fetch, plot, plot_search, report, run, search, suite, table, transfer
from harness.errors import HarnessError, HarnessWarning

assert plot_search  # adds its figures to ``plot``
app = typer.Typer(
    name="harness",
    help="Compare ways of adapting a pretrained model: equal budgets, shared seeds, paired statistics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("suite")(suite.suite)
app.command("search")(search.search)
app.command("table")(table.table)
app.add_typer(plot.plot, name="plot")
app.command("report")(report.report)
app.command("list")(catalog.list_)
app.command("show")(catalog.show)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("fetch")(fetch.fetch)
app.command("export")(transfer.export)
app.command("predict")(transfer.predict)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 wrong input, 1 anything else failed, 130 interrupted.
    """
    # Deprecations are advice to authors of libraries, not to a user of this program.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("once", HarnessWarning)
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted; run the same command again to go on", file=sys.stderr)
        code = 130
    sys.exit(code or 0)


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
    """The program's own warnings in a line, without the place in the code that libraries' are shown with."""
    if issubclass(category, HarnessWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, *place[:2]), end="", file=sys.stderr)
