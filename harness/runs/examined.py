"""An adapted model as probes look at it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from harness import data
from harness.bases.load import Wanted, load
from harness.core.errors import SpecError, Unsupported
from harness.core.spec import TaskSpec
from harness.data.tasks import find_task
from harness.formulation import make_formulation
from harness.libraries import evaluate
from harness.method import Scoring
from harness.probe import Served, Subject
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.predict import Judged, predict
from harness.runs.resolve import Resolved
from harness.storage.predictions import Answers
from harness.task import Example, Splits
from harness.training.batches import planned_steps


def subject_of(run: Resolved, adapted: Adapted, splits: Splits, adapter: Path | None) -> Subject:
    """What probes may look at."""
    model, formulation, task = adapted.model, adapted.formulation, run.task

    def answer(examples: Sequence[Example]) -> Answers:
        rows = formulation.encode(examples)
        return Judged("asked", rows, predict(model, formulation, rows)).stored(task)

    def unadapted(auto_class: str = "") -> nn.Module:
        if not auto_class:
            return load_base(run).model
        return load(run.starting_base, Wanted(auto_class), run.method.unquantized_blocks).model

    def served(*, merged: bool = False) -> Served:
        return _served(run, adapter, splits.train, merged)

    def ask(asked: nn.Module, name: str, limit: int) -> Answers:
        n_virtual_tokens = run.method.virtual_tokens() if asked is model else 0
        return _zero_shot(run, replace(adapted, model=asked), name, limit, n_virtual_tokens)

    def pool() -> Sequence[Example]:
        whole = {"train_limit": None, "train_per_class": None, "folds": None, "fold": 0}
        return data.load(task, run.spec.task.model_copy(update=whole), run.spec.seed)[0].train

    return Subject(
        model=model,
        tokenizer=adapted.base.tokenizer,
        base=run.base,
        task=task,
        head_names=adapted.base.head_names,
        formulation=formulation,
        auto_class=run.formulation.model_classes[run.base.kind],
        seed=run.spec.seed,
        splits={"train": splits.train, "validation": splits.validation, "test": splits.test},
        answer=answer,
        score=lambda answers: evaluate.judged(task.metrics[0], answers),
        unadapted=unadapted,
        served=served,
        ask=ask,
        adapter=adapter,
        pool=pool,
        recipes=run.recipes,
    )


def _served(run: Resolved, adapter: Path | None, train: Sequence[Example], merged: bool) -> Served:
    """The adapted model from its files.

    Raises:
        Unsupported: the method can't be merged.
    """
    training = run.spec.training.model_copy(update={"cache_trunk": False})
    run = replace(run, spec=run.spec.model_copy(update={"training": training}))
    adapted = adapt(run, load_base(run), max(2, planned_steps(run.spec, len(train))))
    if run.method.trains and adapter:
        run.method.load(adapted.model, adapter)
    model = adapted.model
    if merged and run.method.trains:
        try:
            model = run.method.merge(model)
        except SpecError as error:
            raise Unsupported(str(error)) from None
    adapted.formulation.prepare(model, train)
    return Served(model.eval(), adapted.formulation)


@torch.no_grad()
def _zero_shot(run: Resolved, adapted: Adapted, name: str, limit: int, n_virtual_tokens: int) -> Answers:
    """Answers to the first of a task's test examples.

    Raises:
        Unsupported: the model was loaded to answer in another way than this task needs.
    """
    task = find_task(name)
    formulation = make_formulation(None, run.base, task, trains=False)
    needed, there = (one.model_classes.get(run.base.kind) for one in (formulation, run.formulation))
    if needed is None or needed != there or formulation.has_head:
        raise Unsupported(f"{name} can't be asked of a model that answers by {run.formulation.name}")
    splits, _ = data.load(task, TaskSpec(name=name, test_limit=limit), run.spec.seed)
    base = replace(adapted.base, model=adapted.model)
    bound = formulation.bound(task)(task, base, run.in_effect, Scoring(), n_virtual_tokens)
    bound.prepare(adapted.model, [])
    rows = bound.encode(splits.test)
    return Judged("asked", rows, predict(adapted.model, bound, rows)).stored(task)
