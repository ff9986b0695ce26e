"""What the records of a suite's cells give away: other examples, chosen seeds, lost runs, other machines. No torch."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from harness.cells.cells import device
from harness.core.errors import SourceError
from harness.core.seeds import format_seeds
from harness.core.spec import RunSpec, TaskSpec
from harness.runs.identity import fingerprint
from harness.storage.record import Record
from harness.suites.finding import Fault, Finding
from harness.suites.suite import Suite, SuiteRun

MOST_LOST = 0.2
"""Share of a cell's runs that may have diverged or failed: the mean is that of the others."""

Setting = tuple[str, str, str]
"""Task, base, quantization."""


def check_records(suite: Suite, cells: Sequence[SuiteRun], records: Iterable[Record]) -> Iterator[Finding]:
    """Findings about the runs of the suite's cells that there are."""
    records = list(records)
    yield from check_fingerprints(cells, records)
    labels = {_key(cell.spec): cell.label for cell in cells}
    runs: defaultdict[Setting, defaultdict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        spec = record.spec
        if label := labels.get(_key(spec)):
            runs[spec.task.name, spec.base.name, spec.base.quantization][label].append(record)
    chose = set(suite.search.seeds) if suite.search else set()
    for setting, by_label in runs.items():
        where = ", ".join(setting)
        yield from _chosen_seeds(by_label, {*suite.seeds} | chose, where)
        ours = {label: [run for run in of if run.spec.seed in suite.seeds] for label, of in by_label.items()}
        yield from _lost_runs(ours, where)
        yield from _mixed_machines(ours, where)


def check_fingerprints(cells: Iterable[SuiteRun], records: Iterable[Record]) -> Iterator[Finding]:
    """Findings about records of this suite's tasks and seeds whose examples were not the same."""
    wanted = {(cell.spec.task, cell.spec.seed) for cell in cells}
    fingerprints: defaultdict[tuple[TaskSpec, int], set[str]] = defaultdict(set)
    for record in records:
        key = (record.spec.task, record.spec.seed)
        if key in wanted and record.data.fingerprint:
            fingerprints[key].add(record.data.fingerprint)
    for (task, seed), found in fingerprints.items():
        with suppress(SourceError):
            found.add(fingerprint(task, seed))
        if len(found) > 1:
            yield Finding(
                "mixed_fingerprints",
                f"examples of {task.name}, seed {seed}, differ between records or from now: {', '.join(sorted(found))}",
                "runs on different examples can't be paired: the data or its source changed in between",
                "use one source of the data, and move the older runs to another results folder",
            )


def _chosen_seeds(runs: Mapping[str, Sequence[Record]], known: set[int], where: str) -> Iterator[Finding]:
    """Seeds that were run and are not among the suite's."""
    others = {label: {run.spec.seed for run in found} - known for label, found in runs.items()}
    told = [f"{label} {format_seeds(seeds)}" for label, seeds in others.items() if seeds]
    if told:
        yield Finding(
            "chosen_seeds",
            f"on {where} seeds were run that the suite leaves out: {'; '.join(told)}",
            "seeds that are chosen after their results were seen can show any order of the methods",
            "add them to seeds for all methods, or say beforehand which ones count and use another results folder",
        )


def _lost_runs(runs: Mapping[str, Sequence[Record]], where: str) -> Iterator[Finding]:
    """Methods of whose runs many ended without a result."""
    for label, found in runs.items():
        ends = Counter(run.status for run in found if run.status not in ("ok", "skipped"))
        if ends.total() > MOST_LOST * len(found):
            told = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in ends.items())
            yield Finding(
                "lost_runs",
                f"of {len(found)} runs of {label} on {where} {told}",
                "its mean is that of the seeds that went well, and the comparison has fewer pairs",
                "give it a rate or a batch with which it trains, and report how many seeds were lost",
            )


def _mixed_machines(runs: Mapping[str, Sequence[Record]], where: str) -> Iterator[Finding]:
    """Kinds of devices, or of versions of one package, that runs of one comparison differ in."""
    found: defaultdict[tuple[Fault, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for label, of in runs.items():
        for run in of:
            if run.status == "ok":
                found["mixed_devices", "devices"][device(run)].add(label)
                for package, version in run.environment.get("versions", {}).items():
                    found["mixed_versions", f"versions of {package}"][str(version)].add(label)
    for (fault, kind), labels in found.items():
        if len(labels) > 1:
            told = "; ".join(f"{value} ({', '.join(sorted(of))})" for value, of in sorted(labels.items()))
            yield Finding(
                fault,
                f"runs on {where} have other {kind}: {told}",
                "numbers, seconds and memory differ between devices and versions: the methods are not all that differs",
                "run all of them with one environment on one machine, in another results folder",
            )


def _key(spec: RunSpec) -> str:
    """The cell of a run: its seed, and what it measures beside, make no other one."""
    return spec.model_copy(update={"seed": 0, "probes": ()}).model_dump_json()
