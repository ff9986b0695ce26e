"""The fairness linter: every finding about a suite file, its data and its records. Imports no torch."""

from dataclasses import dataclass

from harness.storage.record import Record
from harness.suites.capability import check_capability
from harness.suites.examples import check_examples, read_texts
from harness.suites.fairness import check_methods, check_params
from harness.suites.finding import Finding
from harness.suites.history import check_records
from harness.suites.suite import Suite, expand


@dataclass(frozen=True)
class Findings:
    """What is wrong with a suite, and what could not be looked at."""

    findings: list[Finding]
    unchecked: list[str]


def lint(suite: Suite, records: list[Record]) -> Findings:
    """Everything a reviewer would object to.

    Args:
        suite: The checked suite.
        records: Finished runs; those of the suite's methods and tasks count.
    """
    cells = expand(suite)
    texts, unchecked = read_texts(cells)
    if suite.folds:
        unchecked.append("folds: whether they and the seeds are enough for worth_claiming is not checked")
    findings = [
        *check_capability(cells),
        *check_methods(cells, is_searched=suite.search is not None),
        *check_params(cells, records),
        *check_examples(suite, texts),
        *check_records(suite, cells, records),
    ]
    return Findings(findings, unchecked)
