"""`check FILE`: lint a suite for fairness."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note, say
from harness.cli.options import RESULTS, Results, path


def check(
    file: Annotated[Path, typer.Argument(help="Suite file.", parser=path)],
    results: Results = RESULTS,
) -> None:
    """Find what would make a suite's comparison unfair, or unable to show a difference; each with its remedy.

    Exit code 1 if there is a finding. What could not be checked here is said on stderr and is no finding.
    """
    from harness.storage.store import Store
    from harness.suites.lint import lint
    from harness.suites.suite import read_suite

    verdict = lint(read_suite(file), list(Store(results).records()))
    for finding in verdict.findings:
        say(f"{finding.fault}: {finding.what}\n  reason: {finding.reason}\n  remedy: {finding.remedy}")
    for sentence in verdict.unchecked:
        note("unchecked: " + sentence.replace("\n", "\n  "))
    say(f"{file}: {len(verdict.findings) or 'no'} finding{'s' if len(verdict.findings) != 1 else ''}")
    raise typer.Exit(1 if verdict.findings else 0)
