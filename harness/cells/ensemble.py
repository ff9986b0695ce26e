"""Ensembles: several runs combined into one from their stored answers, at no training."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.cells.cells import Comparison, differing_fields
from harness.cells.combined import combine
from harness.cells.folds import replicate
from harness.core.errors import SpecError
from harness.core.spec import MethodSpec, RunSpec, TrainingSpec, digest
from harness.metric import METRICS, make_metric
from harness.storage.predictions import Answers, Read
from harness.storage.record import AnswerCounts, Cost, DataInfo, Params, PeakMemory, Record

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Ensemble:
    """What is combined: runs that differ in their seeds, or in their methods.

    ``seed`` is that of the first member: an ensemble is a run of a cell like any other.
    """

    name: str
    members: tuple[Record, ...]

    @property
    def method(self) -> str:
        """The name of the first member's."""
        return self.members[0].spec.method.name

    @property
    def of(self) -> str:
        """What is in the brackets of its name."""
        return self.name.partition("(")[2].removesuffix(")")

    def named(self, name: str) -> "Ensemble":
        """The same members under another name."""
        return replace(self, name=name)

    @property
    def seed(self) -> int:
        """The seed under which tables pair it with other runs."""
        return self.members[0].spec.seed


def over_seeds(comparisons: Sequence[Comparison], size: int) -> Iterator[Ensemble]:
    """Of every cell the runs of its first ``size`` seeds, of the next, and so on; what is left over is in none."""
    for cell in (cell for comparison in comparisons for cell in comparison.cells):
        for start in range(0, len(cell.ok) - size + 1, size):
            yield Ensemble(f"ensemble({cell.ok[0].spec.method.name}*{size})", cell.ok[start : start + size])


def over_methods(comparisons: Sequence[Comparison]) -> Iterator[Ensemble]:
    """Of every seed the runs of all methods of a comparison, where there are two or more.

    Raises:
        SpecError: a method has several settings.
    """
    for comparison in comparisons:
        together: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        for run in (run for cell in comparison.cells for run in cell.ok):
            together[run.spec.recipe, replicate(run)].append(run)
        for runs in together.values():
            names = [run.spec.method.name for run in runs]
            if repeated := next((name for name in names if names.count(name) > 1), None):
                fields = ", ".join(differing_fields([run for run in runs if run.spec.method.name == repeated]))
                raise SpecError(f"runs of {repeated} differ in {fields}: keep one kind with --where")
            if len(runs) > 1:
                yield Ensemble(f"ensemble({'+'.join(names)})", tuple(runs))


def over_tasks(comparisons: Sequence[Comparison]) -> Iterator[Ensemble]:
    """Of every seed the runs that are alike but for the task: for each task all of them, its own first.

    Raises:
        SpecError: runs of one task differ in how much of its data they use.
    """
    together: defaultdict[str, list[Record]] = defaultdict(list)
    for run in (run for comparison in comparisons for cell in comparison.cells for run in cell.ok):
        together[digest(run.spec.model_dump(mode="json", exclude={"task", "probes"}))].append(run)
    for runs in together.values():
        by_task = {run.spec.task.name: run for run in runs}
        if len(by_task) < len(runs):
            again = next(run for run in runs if by_task[run.spec.task.name] is not run)
            alike = [run for run in runs if run.spec.task.name == again.spec.task.name]
            fields = ", ".join(differing_fields(alike)) or "their examples"
            raise SpecError(f"runs of {again.spec.task.name} differ in {fields}: keep one kind with --where")
        names = "+".join(sorted(name.partition("?")[0].rpartition("/")[2] for name in by_task))
        for name, own in by_task.items() if len(by_task) > 1 else ():
            others = (by_task[other] for other in sorted(by_task) if other != name)
            yield Ensemble(f"ensemble({own.spec.method.name}*{names})", (own, *others))


def answers_of(ensemble: Ensemble, read: Read) -> dict[str, Answers]:
    """The combined answers to each split.

    Raises:
        SpecError: a member has no predictions, or answered other examples.
    """
    combined = {}
    for split in SPLITS:
        found = [read(run, split) for run in ensemble.members]
        known = [answers for answers in found if answers is not None]
        if len(known) < len(found):
            raise SpecError(f"{ensemble.name}, seed {ensemble.seed}: a member has no predictions of {split}")
        if not all(known[0].same_examples(other) for other in known[1:]):
            raise SpecError(f"{ensemble.name}, seed {ensemble.seed}: its members answered other {split} examples")
        combined[split] = combine(known)
    return combined


def record_of(ensemble: Ensemble, answers: Mapping[str, Answers], written_at: str) -> Record:
    """The record: metrics anew, costs and sizes summed, memory that of the largest member.

    Args:
        ensemble: What was combined.
        answers: To each split.
        written_at: Now, in ISO format.
    """
    members, first = ensemble.members, ensemble.members[0]
    names = sorted(
        {key.partition("/")[2] for key in first.metrics if key.partition("/")[0] in SPLITS} & {*METRICS.names()}
    )
    metrics = {
        f"{split}/{name}": make_metric(name).judge(found)
        for split, found in answers.items()
        for name in names
        if make_metric(name).needs <= _parts(found)
    }
    total = first.params.total
    trainable = sum(run.params.trainable for run in members)
    return first.model_copy(
        update={
            "run_id": run_id(ensemble),
            "spec": spec_of(ensemble),
            "label": "",
            "started_at": written_at,
            "finished_at": written_at,
            "metrics": metrics,
            "metrics_last": {},
            "answered": {
                split: AnswerCounts(
                    asked=len(found.targets),
                    scored=len(found.targets),
                    distinct=len({str(answer) for answer in found.predictions.tolist()}),
                )
                for split, found in answers.items()
            },
            "params": Params(
                **{name: sum(getattr(run.params, name) for run in members) for name in SUMMED_PARAMS},
                total=total,
                trainable_percent=100 * trainable / total if total else 0.0,
            ),
            "cost": _cost(members),
            "curve": [],
            "measured": {},
            "measured_intervals": {},
            "measured_reasons": {},
            "data": _data(members),
            "members": [run.run_id for run in members],
        }
    )


SUMMED_PARAMS = ("trainable", "trainable_final", "head", "stored_bytes")
"""What all members together train and need on the disk."""


def run_id(ensemble: Ensemble) -> str:
    """12 hex digits over what is combined; a member that was run anew makes another ensemble."""
    return digest({"ensemble": ensemble.name, "members": [[run.run_id, run.finished_at] for run in ensemble.members]})


def _parts(answers: Answers) -> set[str]:
    return {name for name in ("scores", "texts") if getattr(answers, name) is not None}


def spec_of(ensemble: Ensemble) -> RunSpec:
    """The first member's with the ensemble in the place of the method; what members don't share is at its default."""
    specs = [run.spec for run in ensemble.members]
    first, names = specs[0], {spec.method.name for spec in specs}
    settings = first.method.settings if len(names) == 1 else {}
    is_alike = all(spec.training == first.training for spec in specs)
    return first.model_copy(
        update={
            "method": MethodSpec(name=ensemble.name, **settings),
            "training": first.training if is_alike else TrainingSpec(precision=first.training.precision),
            "formulation": first.formulation if len({spec.formulation for spec in specs}) == 1 else None,
            "probes": (),
        }
    )


def _cost(members: Sequence[Record]) -> Cost:
    costs = [run.cost for run in members]
    numbers = {name: sum(getattr(cost, name) for cost in costs) for name in SUMMED_COSTS}
    peaks = [cost.peak_memory_bytes for cost in costs]
    memory = PeakMemory(train=max(peak.train for peak in peaks), eval=max(peak.eval for peak in peaks))
    return Cost(**numbers, peak_memory_bytes=memory, memory_kind=costs[0].memory_kind)


SUMMED_COSTS = (
    "load_seconds", "tokenize_seconds", "train_seconds", "eval_seconds", "total_seconds", "train_tokens",
    "padded_tokens", "eval_tokens", "pretrain_seconds", "pretrain_tokens", "pretrain_passes",
)  # fmt: skip
"""Members are made and asked one after the other."""


def _data(members: Sequence[Record]) -> DataInfo:
    """The first member's; with a fingerprint of its own where members learned from other examples."""
    found = list(dict.fromkeys(run.data.fingerprint for run in members))
    data = members[0].data
    return data if len(found) == 1 else data.model_copy(update={"fingerprint": digest(found)})
