"""What a table says about itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.cells.cells import AXES, Layout, device, lookup
from harness.cells.choices import Family
from harness.cells.tuning import tuning_sentence
from harness.core.seeds import format_seeds
from harness.metric import Metric
from harness.probe import Quantity
from harness.storage.record import Record
from harness.tables.spec import Spread, TableSpec


@dataclass(frozen=True)
class Evidence:
    """What was tested.

    Args:
        n_tests: Comparisons of a cell with the best of its comparison.
        scope: Fields within whose values Holm's correction runs, where that is not the whole table.
        family: What it runs over.
        metrics: What the table shows.
        floors: Of each comparison, its metric and the smallest lead of the best that would have been seen with 80 %
            power.
        seed_correlation: As ``statistics.seed_correlation``.
        folds: How cross-validated cells were judged, in a sentence.
        raced: How raced cells were judged, in a sentence.
    """

    n_tests: int = 0
    scope: tuple[str, ...] = ()
    family: Family = "tasks"
    metrics: tuple[Metric, ...] = ()
    floors: tuple[tuple[Metric, float], ...] = ()
    seed_correlation: float | None = None
    folds: str = ""
    raced: str = ""


def make_legend(layout: Layout, spec: TableSpec, costs: Sequence[Quantity], evidence: Evidence) -> tuple[str, ...]:
    """Sentences without which the table can't be read: what the numbers are, what the marks mean."""
    lines = [
        _what(spec, evidence.metrics),
        _difference(spec),
        _how(layout, spec, evidence),
        _dagger(spec),
        evidence.folds,
        "Underlined: the second best mean." if spec.underline else "",
        "a → b: trained on a and tested on b." if spec.out_of_domain else "",
        _average(spec),
        _costs(spec, costs),
    ]
    return tuple(line for line in lines if line)


def make_provenance(records: Sequence[Record], layout: Layout, evidence: Evidence) -> tuple[str, ...]:
    """Sentences on what all runs share, what the table could see, from which data it is and where it was computed."""
    axes = [a for a in AXES if a not in layout.fields and (a != "recipe" or records[0].spec.recipes)]
    shared = {axis: {str(lookup(run, axis)) for run in records} for axis in axes}  # a label tells methods apart too
    fixed = [f"{axis} {values.pop()}" for axis, values in shared.items() if len(values) == 1]
    lines = [
        f"All runs: {', '.join(fixed)}." if fixed else "",
        _sight(evidence),
        tuning_sentence(records),
        _pretraining(records),
        f"Seeds: {format_seeds(run.spec.seed for run in records)}. Data: {'; '.join(_data(records))}.",
        _where(records),
    ]
    return tuple(line for line in lines if line)


SPREADS: dict[Spread, str] = {
    "ci": " ± half-width of the 95 % t-interval over seeds",
    "sd": " ± standard deviation over seeds",
    "se": " ± standard error over seeds",
    "none": " over seeds",
}


def _what(spec: TableSpec, metrics: Sequence[Metric]) -> str:
    own = ", ".join(metric.name for metric in metrics if not metric.is_percent)
    unit = f" ({own}: in the unit of the target)" if own else ""
    checkpoint = "the checkpoint chosen on validation" if spec.checkpoint == "chosen" else "the last checkpoint"
    holds = (
        " Unless a note says otherwise it holds the variation between seeds, not that of drawing other test examples."
        if spec.spread == "ci"
        else ""
    )
    return f"Percent{unit} on {spec.split}, at {checkpoint}: mean{SPREADS[spec.spread]} (number of seeds).{holds}"


def _difference(spec: TableSpec) -> str:
    if spec.relative_to is None:
        return ""
    interval = ", ± half-width of their 95 % interval over seeds and test examples" if spec.spread == "ci" else ""
    name = spec.shown(spec.relative_to)
    return f"With a sign: differences to {name}, paired by seed{interval}; {name} itself shows its mean."


def _dagger(spec: TableSpec) -> str:
    if not spec.dagger:
        return ""
    if spec.relative_to is None:
        return "†: significantly worse than the best, by the same test."
    return (
        f"†: significantly worse than {spec.shown(spec.relative_to)}, by a paired two-sided test over seeds and test "
        "examples at 5 % after Holm's correction over all differences shown."
    )


def _average(spec: TableSpec) -> str:
    ranks = (
        "average rank: of the means within each task, among the rows that have all tasks; 1 is best."
        if spec.rank
        else ""
    )
    if not spec.average:
        return ranks and f"{ranks[0].upper()}{ranks[1:]}"
    several = " (of several metrics their mean)" if spec.metric else ""
    tested = "tested by itself, unless cells were raced"
    text = f"Average: over the tasks of a row by seed, each counting once{several}; {tested}"
    return f"{text}; {ranks}" if ranks else f"{text}."


def _costs(spec: TableSpec, costs: Sequence[Quantity]) -> str:
    if not costs:
        return ""
    over = "over the cells of a row" if spec.costs_per == "row" else "over the same seeds"
    return f"Costs are means {over}; memory and seconds are those of the training."


def _how(layout: Layout, spec: TableSpec, evidence: Evidence) -> str:
    if spec.checkpoint == "last":
        return "Nothing is bold: predictions are kept for the chosen checkpoint only, so nothing was tested."
    if not evidence.n_tests and evidence.raced:
        return evidence.raced
    if not evidence.n_tests:
        return "Nothing is bold: no two cells of a comparison have two seeds and predictions in common."
    same = f" of the same {', '.join(layout.shared)}" if layout.shared else ""
    over = f"the {evidence.n_tests} comparisons with a best cell"
    if evidence.family == "comparison":
        over = "each comparison alone"
    elif evidence.scope:
        over += f", those of one {', '.join(evidence.scope)} at a time"
    return (
        f"Bold: the cells that with 95 % confidence contain the best{same}, which are the {_best(evidence)} mean (★) "
        f"and what a paired one-sided test over seeds and {spec.split} examples does not find worse, at 5 % after "
        f"Holm's correction over {over}. {evidence.raced}".rstrip()
    )


def _best(evidence: Evidence) -> str:
    """What the best mean of the shown metrics is."""
    lower = ", ".join(metric.name for metric in evidence.metrics if not metric.higher_is_better)
    is_mixed = any(metric.higher_is_better for metric in evidence.metrics)
    return "highest" if not lower else f"highest (of {lower} the lowest)" if is_mixed else "lowest"


def _sight(evidence: Evidence) -> str:
    """What the table could see."""
    if not evidence.floors:
        return ""
    by_unit: defaultdict[str, list[str]] = defaultdict(list)
    for metric, floor in sorted(evidence.floors, key=lambda found: found[1]):
        unit, text = ("points", f"{100 * floor:.1f}") if metric.is_percent else (metric.name, f"{floor:.3g}")
        by_unit[unit].append(text)
    ranges = {
        unit: texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}" for unit, texts in by_unit.items()
    }
    lead = ", ".join(f"{texts} {unit}" for unit, texts in ranges.items())
    pairing = evidence.seed_correlation
    return f"A lead of {lead} would be seen with 80 % power." + (
        ""
        if pairing is None
        else f" Scores of two methods correlate over seeds by {pairing:.2f}: pairing helps where that is positive."
    )


def _data(records: Iterable[Record]) -> list[str]:
    found: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for run in records:
        if run.data.fingerprint:
            found[run.spec.task.name].add((run.data.source, run.data.protocol, run.data.fingerprint))
    return [f"{task} {_provenance(sorted(parts))}" for task, parts in sorted(found.items())] or ["unknown"]


def _pretraining(records: Sequence[Record]) -> str:
    """What recipes did to bases before training: no other cost has it."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for run in records:
        if run.cost.pretrain_seconds:
            found[run.spec.recipe].append(run.cost.pretrain_seconds)
    said = "; ".join(f"{recipe} {fmean(seconds):.1f} s a run" for recipe, seconds in sorted(found.items()))
    shared = "Pretraining of the base on texts, one for all methods of a task and seed"
    return f"{shared}: {said}, in no other cost." if said else ""


def _provenance(parts: Sequence[tuple[str, str, str]]) -> str:
    sources, protocols, fingerprints = (sorted(set(column)) for column in zip(*parts, strict=True))
    shown = fingerprints[0] if len(fingerprints) == 1 else f"{len(fingerprints)} samples"
    return f"({'/'.join(protocols)} split, {'; '.join(sources)}, {shown})"


def _where(records: Iterable[Record]) -> str:
    finished = [run for run in records if run.status == "ok"]
    parts = {"Devices": {device(run) for run in finished}}
    parts["compute types"] = {str(run.environment.get("precision", "unknown")) for run in finished}
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for run in finished:
        for package, version in run.environment.get("versions", {}).items():
            versions[package].add(str(version))
        if commit := run.environment.get("git_commit"):
            versions["commit"].add(str(commit)[:9] + "+changes" * bool(run.environment.get("git_dirty")))
    listed = [f"{name}: {', '.join(sorted(values))}" for name, values in parts.items() if values]
    listed += [f"{package} {'/'.join(sorted(found))}" for package, found in sorted(versions.items())]
    return f"{'; '.join(listed)}." if listed else ""
