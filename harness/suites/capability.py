"""Cells of a suite that were seen to fail when their methods were tried. Imports no torch."""

from collections.abc import Iterable, Iterator

from harness.bases.info import base_config
from harness.runs.capability import known
from harness.suites.finding import Finding
from harness.suites.suite import SuiteRun


def check_capability(cells: Iterable[SuiteRun]) -> Iterator[Finding]:
    """A finding for each method, base and precision that `list methods --probe` saw fail; nothing is tried here.

    What a method skips by its own word is a result of the suite, with its reason, and no finding.
    """
    seen = set()
    for cell in cells:
        base, run = cell.spec.base, cell.run
        key = (cell.label, base.name, base.quantization)
        if key in seen or run.skip_reason():
            continue
        seen.add(key)
        found = known(run.method, base_config(base.name), base.quantization)
        if found and found.state != "works":
            yield Finding(
                "cannot_train",
                f"{cell.label} on {base.name}, quantization {base.quantization}: {found.state} when it was tried",
                found.reason or "",
                "leave it out, or choose a base, a precision or settings on which `list methods --probe` sees it work",
            )
