"""The commands, put together; errors become one message and an exit code."""

import signal
import sys
import warnings
from typing import Any

import typer

from harness.cli import (
    card,
    catalog,
    check,
    data,
    doctor,
    ensemble,
    fetch,
    membership,
    plot,
    report,
    run,
    search,
    suite,
    table,
    transfer,
    verify,
)
from harness.cli.console import note, set_up
from harness.cli.usage import Commands, click_errors, usage_message
from harness.core.errors import HarnessError, HarnessWarning
from harness.core.launch import is_first

app = typer.Typer(
    name="harness",
    help="Compare ways of adapting a pretrained model: equal budgets, shared seeds, paired statistics.",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich takes longer to import than all else
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("suite")(suite.suite)
app.command("search")(search.search)
app.command("table", cls=table.TableCommand)(table.table)
app.add_typer(plot.plot, name="plot")
app.command("ensemble")(ensemble.ensemble)
app.command("soup")(ensemble.soup)
app.command("membership")(membership.membership)
app.command("report")(report.report)
app.command("list")(catalog.list_)
app.command("show")(catalog.show)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("verify")(verify.verify)
app.command("fetch")(fetch.fetch)
app.command("export")(transfer.export)
app.command("predict")(transfer.predict)
app.command("explain")(transfer.explain)
app.command("data")(data.data)
app.command("card")(card.card)

INTERRUPTED = 130
"""Exit code after Ctrl-C, which typer itself turns into it."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 wrong input, 1 anything else failed, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: nothing half done, no worker left
    # Deprecations are advice to authors of libraries, not to a user of this program.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("once" if is_first() else "ignore", HarnessWarning)
    warnings.showwarning = _show_warning
    sys.exit(_exit_code())


def _exit_code() -> int:
    """Run the command; say on stderr why it ended early, if it did."""
    try:
        set_up()
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except HarnessError as error:
        note(f"error: {error}")
        code = error.exit_code
    except click_errors.ClickException as error:
        note(f"error: {usage_message(error)}")
        code = error.exit_code
    except BrokenPipeError:
        code = 1  # whoever read has read enough
    except OSError as error:
        note(f"error: {error}")
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        note("interrupted; run the same command again to go on")
    return code


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
    """The program's own warnings in a line, without the place in the code that libraries' are shown with."""
    own = issubclass(category, HarnessWarning)
    note(f"warning: {message}" if own else warnings.formatwarning(message, category, *place[:2]).rstrip())
