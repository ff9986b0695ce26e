"""What a table says about itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.compare.cells import AXES, Layout, device, lookup
from harness.compare.scores import Measure
from harness.compare.ties import Family
from harness.compare.tuning import tuning_sentence
from harness.record import Record


def make_footer(
    records: Sequence[Record], layout: Layout, measure: Measure, costs: Sequence[str], family: Family, n_pairs: int
) -> tuple[str, ...]:
    """Sentences on what was measured, how it was compared, from which data, and where it was computed."""
    fixed = [f"{axis} {lookup(records[0], axis)}" for axis in AXES if axis not in layout.fields]
    lines = [
        f"All runs: {', '.join(fixed)}." if fixed else "",
        _what(measure),
        _how(layout, measure, family, n_pairs),
        tuning_sentence(records),
        "Costs are means over the same seeds; memory and seconds are those of the training." if costs else "",
        f"Seeds: {format_seeds(run.spec.seed for run in records)}. Data: {'; '.join(_data(records))}.",
        _where(records),
    ]
    return tuple(line for line in lines if line)


def format_seeds(seeds: Iterable[int]) -> str:
    """Sorted numbers, with runs of three or more as a range: 0-4, 7."""
    groups: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if groups and seed == groups[-1][-1] + 1:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 2 else ", ".join(map(str, g)) for g in groups)


def _what(measure: Measure) -> str:
    checkpoint = "the checkpoint chosen on validation" if measure.checkpoint == "chosen" else "the last checkpoint"
    return (
        f"Percent on {measure.split}, at {checkpoint}: mean ± half-width of the 95 % t-interval over seeds "
        "(number of seeds)."
    )


def _how(layout: Layout, measure: Measure, family: Family, n_pairs: int) -> str:
    if measure.checkpoint == "last":
        return "Nothing is bold: predictions are kept for the chosen checkpoint only, so nothing was tested."
    if not n_pairs:
        return "Nothing is bold: no two cells of a comparison have two seeds in common."
    over = f"the {n_pairs} pairs of cells" if family == "table" else "the pairs of each comparison"
    same = f" of the same {', '.join(layout.shared)}" if layout.shared else ""
    return (
        f"Bold: the best{same}, and what a paired test over seeds and {measure.split} examples does not separate from "
        f"it, at 5 % after Holm's correction over {over}."
    )


def _data(records: Iterable[Record]) -> list[str]:
    found: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for run in records:
        if run.data.fingerprint:
            found[run.spec.task.name].add((run.data.source, run.data.protocol, run.data.fingerprint))
    return [f"{task} {_provenance(sorted(parts))}" for task, parts in sorted(found.items())] or ["unknown"]


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
