"""The commands, put together; errors become one message and an exit code."""

import sys
import warnings

import click
import typer

from harness.cli import catalog, fetch, run, transfer
from harness.cli.check import check
from harness.cli.doctor import doctor
from harness.cli.suite import suite
from harness.errors import HarnessError

app = typer.Typer(
    name="harness",
    help="Compare ways of adapting a pretrained model: equal budgets, shared seeds, paired statistics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("suite")(suite)
app.command("check")(check)
app.command("list")(catalog.list_)
app.command("show")(catalog.show)
app.command("fetch")(fetch.fetch)
app.command("doctor")(doctor)
app.command("export")(transfer.export)
app.command("predict")(transfer.predict)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 wrong input, 1 anything else failed, 130 interrupted.
    """
    # Deprecations are advice to authors of libraries, not to a user of this program.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
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
