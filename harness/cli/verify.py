"""``harness verify``: our numbers beside published ones."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results

if TYPE_CHECKING:
    from harness.storage.store import Store
    from harness.suites.anchor import Anchor, Verdict


def verify(
    anchor: Annotated[list[str] | None, typer.Argument(help="Names of anchors; default: all.")] = None,
    results: Results = RESULTS,
) -> None:
    """Compute published numbers under their own protocol and say which are reproduced, and why the others are not.

    Exit code 1 if one that is comparable is not reproduced.
    """
    from harness.storage.store import Store
    from harness.suites.anchor import find_anchors

    asked = find_anchors(anchor or [])
    verdicts = {name: _verdict(one, Store(results)) for name, one in asked.items()}
    rows = [
        [name, one.title, f"{one.published:.4f}", _ours(verdicts[name]), verdicts[name].word, verdicts[name].why]
        for name, one in asked.items()
    ]
    say_table(["anchor", "what", "published", "ours", "verdict", "why"], rows)
    for name, one in asked.items():
        say(f"{name}: {one.protocol}. {one.source}")
    raise typer.Exit(int(any(verdict.word == "not reproduced" for verdict in verdicts.values())))


def _verdict(anchor: "Anchor", store: "Store") -> "Verdict":
    """Run what is missing, where it can be compared."""
    from harness.cli.follow import follow
    from harness.core.errors import SpecError
    from harness.executors.local import Local
    from harness.suites.anchor import judge_anchor, why_not_here
    from harness.suites.plan import plan
    from harness.suites.suite import expand

    if reason := why_not_here(anchor):
        return judge_anchor(anchor, [], reason)
    try:
        cells = plan(expand(anchor.runs), store)
    except SpecError as error:
        return judge_anchor(anchor, [], _first(str(error)))
    missing = next((_first(cell.reason or "") for cell in cells if cell.state == "unavailable"), None)
    jobs = [] if missing else [job for cell in cells if (job := cell.job)]
    if jobs:
        with closing(Local(workers=1).run(jobs, store.results)) as events:
            follow(events, len(jobs), "cells")
    records = [record for cell in cells if cell.run_id and (record := store.find(cell.run_id))]
    lost = "a run failed, see above" if not missing and len(records) < len(cells) else None
    return judge_anchor(anchor, records, missing or lost)


def _first(reason: str) -> str:
    """What is missing, without where it was looked for."""
    return reason.partition("; tried")[0].replace("\n", " ")


def _ours(verdict: "Verdict") -> str:
    if verdict.ours is None:
        return ""
    spread = "" if verdict.ours.half_width is None else f" ± {verdict.ours.half_width:.4f} ({verdict.ours.n})"
    return f"{verdict.ours.mean:.4f}{spread}"
