"""Soups: the trained weights of several runs mixed into those of one model, at no training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from harness import data
from harness.bases.heads import is_of_head
from harness.core.errors import SpecError
from harness.core.seeds import derive
from harness.data.tasks import find_task
from harness.libraries.peft import merge_updates
from harness.metric import make_metric
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.export import ADAPTER, as_started, load_run, prepare
from harness.runs.predict import Judged, predict
from harness.runs.resolve import resolve
from harness.storage.checkpoint import hash_folder, hash_tensors
from harness.storage.predictions import Answers
from harness.storage.record import Record
from harness.storage.store import Store
from harness.task import Task
from harness.training.fit import restore, snapshot

Mix = Literal["uniform", "greedy", "ties", "dare"]

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Cooked:
    """A soup's answers to validation and test, the runs whose weights are in it, and the checksum of its files."""

    answers: dict[str, Answers]
    used: tuple[Record, ...]
    stored_hash: str


def cook(members: Sequence[Record], mix: Mix, results: Path, adapter: Path) -> Cooked:
    """Mix the weights of finished runs that differ in their seeds, write them as an adapter, and judge them.

    Runs that differ in their tasks have heads of their own: the first member's stays as it is, and its task is asked.
    What is mixed of the others does not depend on which of them is first.

    ``uniform`` is the mean of all; ``greedy`` that of those which, from the best on validation down, don't make it
    worse there (Wortsman et al. 2022, recipe 1, https://arxiv.org/abs/2203.05482). ``ties`` and ``dare`` mix what
    training has added to the base (Yadav et al. 2023, https://arxiv.org/abs/2306.01708; Yu et al. 2024,
    https://arxiv.org/abs/2311.03099), with peft's functions at their papers' densities; heads are averaged.

    Raises:
        SpecError: a member trains nothing, a greedy soup is to be of several tasks, examples have changed, or what is
            not trained depends on the seed.
        SourceError: an adapter or the base can't be read.
    """
    first, task, adapted = load_run(members[0].run_id, results)
    run = resolve(first.spec, task)
    if not run.method.trains:
        raise SpecError(f"{first.spec.method.name} trains nothing: there are no weights to mix")
    tasters = _Tasters(first, task, adapted)
    several = len({member.spec.task.name for member in members}) > 1
    if several and mix == "greedy":
        raise SpecError("a greedy soup is chosen on the validation examples of one task; over tasks mix otherwise")
    in_order = sorted(members, key=lambda member: member.spec.task.name)
    weights = [_weights(member, adapted, first, results) for member in in_order]
    if mix == "greedy":
        chosen = _greedy(weights, in_order, tasters)
        mixed, used = _mean([weights[place] for place in chosen]), tuple(in_order[place] for place in chosen)
    else:
        mixed, used = _mean([_shared(one, adapted) for one in weights] if several else weights), tuple(members)
    if mix in ("ties", "dare"):
        run = as_started(first, run)
        start = snapshot(adapt(run, load_base(run), 2).model)
        mixed |= _merged(_updated(weights, start, adapted), mix, first.spec.seed)
    restore(adapted.model, snapshot(adapted.model) | mixed)
    run.method.save(adapted.model, adapter)
    answers = {split: tasters.ask(split).stored(task) for split in ("validation", "test")}
    return Cooked(answers, used, hash_folder(adapter))


class _Tasters:
    """Ask a model as it stands."""

    def __init__(self, record: Record, task: Task, adapted: Adapted) -> None:
        splits, info = data.load(find_task(record.spec.task.name), record.spec.task, record.spec.seed)
        if info.fingerprint != record.data.fingerprint:
            raise SpecError(f"the examples of {task.name} have changed since run {record.run_id}; run it again")
        self._model, self._formulation, self._task = adapted.model, adapted.formulation, task
        with torch.no_grad():
            prepare(record, adapted)
        self._rows = {name: adapted.formulation.encode(getattr(splits, name)) for name in ("validation", "test")}

    def ask(self, split: str) -> Judged:
        """The answers to a split."""
        rows = self._rows[split]
        return Judged(split, rows, predict(self._model, self._formulation, rows))

    def score(self, weights: Tensors) -> float:
        """The primary metric on validation with these weights; higher is better."""
        restore(self._model, weights)
        metric = make_metric(self._task.metrics[0])
        return metric.sign * self.ask("validation").metrics(self._task)[f"validation/{metric.name}"]


def _weights(member: Record, adapted: Adapted, first: Record, results: Path) -> Tensors:
    """What a member has trained.

    Raises:
        SpecError: its other parameters are not those of the first member, so that weights mean something else in them.
    """
    loaded = adapted if member.run_id == first.run_id else load_run(member.run_id, results)[2]
    is_alike = _config(member, results) == _config(first, results)
    is_alike &= member.weights.pretrained == first.weights.pretrained
    if not is_alike or hash_tensors(_frozen(loaded)) != hash_tensors(_frozen(adapted)):
        raise SpecError(
            f"runs {first.run_id} and {member.run_id} have other frozen parameters (drawn from their seeds): "
            "their weights can't be mixed; harness ensemble combines their answers"
        )
    return snapshot(loaded.model)


def _config(member: Record, results: Path) -> bytes:
    """peft's settings of an adapter, which may name a seed; empty for methods that store none."""
    path = Store(results).folder(member.run_id) / ADAPTER / "adapter_config.json"
    return path.read_bytes() if path.is_file() else b""


def _frozen(adapted: Adapted) -> Tensors:
    """Parameters and buffers that are not trained, but for what peft keeps of the heads as they were."""
    heads, model = adapted.base.head_names, adapted.model
    parameters = ((name, tensor) for name, tensor in model.named_parameters() if not tensor.requires_grad)
    return {name: tensor for name, tensor in (*parameters, *model.named_buffers()) if not is_of_head(name, heads)}


def _shared(weights: Tensors, adapted: Adapted) -> Tensors:
    """Those that are of no head."""
    return {name: tensor for name, tensor in weights.items() if not is_of_head(name, adapted.base.head_names)}


def _mean(weights: Sequence[Tensors]) -> Tensors:
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}


def _greedy(weights: Sequence[Tensors], members: Sequence[Record], tasters: _Tasters) -> list[int]:
    """The places of the members whose mean is best on validation, found from the best one down."""
    sign = make_metric(members[0].primary_metric).sign
    order = sorted(range(len(members)), key=lambda place: -sign * (members[place].metric("validation") or 0.0))
    chosen, best = order[:1], tasters.score(weights[order[0]])
    for place in order[1:]:
        score = tasters.score(_mean([weights[one] for one in (*chosen, place)]))
        if score >= best:
            chosen, best = [*chosen, place], score
    return chosen


def _updated(weights: Sequence[Tensors], start: Tensors, adapted: Adapted) -> dict[str, tuple[Tensor, list[Tensor]]]:
    """Of every tensor that is no head: where it began, the base's own value or zero, and what each run added to it."""
    found = {}
    for name in weights[0]:
        if not is_of_head(name, adapted.base.head_names):
            origin = torch.zeros_like(start[name]) if name in adapted.added else start[name]
            found[name] = origin, [one[name] - origin for one in weights]
    return found


def _merged(updated: dict[str, tuple[Tensor, list[Tensor]]], mix: Literal["ties", "dare"], seed: int) -> Tensors:
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "soup"))
        return {name: origin + merge_updates(updates, mix) for name, (origin, updates) in updated.items()}
