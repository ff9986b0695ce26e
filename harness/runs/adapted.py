"""A base made ready for a task by a method: what training starts from, and what a stored adapter is loaded into."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.bases.half import halve_frozen
from harness.bases.heads import reset_heads
from harness.bases.load import Base, Wanted, load
from harness.core.errors import Unsupported
from harness.core.info import BaseKind
from harness.core.seeds import derive
from harness.core.spec import SpeedSpec
from harness.formulation import Batch, BoundFormulation, Formulation, Row
from harness.method import Context
from harness.runs.resolve import Resolved
from harness.speed.dropout import use_bulk_dropout
from harness.speed.first_token import keep_first_token
from harness.speed.trunk import cache_trunk
from harness.storage.checkpoint import trainable
from harness.task import Task


@dataclass
class Adapted:
    """The model that the method returned, and how it answers; ``base.model`` may be part of it.

    ``added`` are the names of the trainable tensors that the base did not have.
    """

    model: nn.Module
    base: Base
    formulation: BoundFormulation
    added: frozenset[str]


def model_of(formulation: Formulation, kind: BaseKind, task: Task) -> Wanted:
    """The model that a kind of base is loaded as to answer a task."""
    n_outputs = formulation.n_outputs(task) if formulation.has_head else None
    return Wanted(formulation.model_classes[kind], n_outputs)


def load_base(run: Resolved) -> Base:
    """The run's base with its heads drawn from the seed, the same for every method."""
    wanted = replace(model_of(run.formulation, run.base.kind, run.task), dropout=run.spec.base.dropout)
    base = load(run.starting_base, wanted, run.method.unquantized_blocks)
    reset_heads(base.model, base.head_names, derive(run.spec.seed, "head"))
    return base


def adapt(run: Resolved, base: Base, total_steps: int) -> Adapted:
    """Apply the method to a base just loaded; what it draws at random depends on the seed alone."""
    spec, method = run.in_effect, run.method
    bound = run.formulation.bound(run.task)(run.task, base, spec, method.scoring(), method.virtual_tokens())
    _speed_up(base.model, run.formulation, spec.speed)
    own = {id(parameter) for parameter in base.model.parameters()}
    seed = derive(spec.seed, "init")
    torch.manual_seed(seed)
    context = Context(run.base, run.asked, base.head_names, total_steps, seed, spec.speed.fused_layers)
    model = method.apply(base.model, context)
    added = frozenset(name for name, parameter in trainable(model).items() if id(parameter) not in own)
    if spec.base.dtype == "bf16":
        halve_frozen(model)
    if spec.training.gradient_checkpointing and method.trains:
        _checkpoint(model)
    if spec.training.cache_trunk and method.trains:
        cache_trunk(model, base)
    return Adapted(model, base, bound, added)


def start_batches(
    run: Resolved, formulation: BoundFormulation, rows: Sequence[Row], device: torch.device
) -> Iterator[Batch]:
    """The training examples from which the method begins, drawn by the seed."""
    drawn = np.random.default_rng(derive(run.spec.seed, "start")).permutation(len(rows))
    size = run.spec.training.batch_size
    for first in range(0, min(run.method.n_start_examples, len(rows)), size):
        places = drawn[first : min(first + size, run.method.n_start_examples)]
        yield formulation.collate([rows[place] for place in places], device)


def _checkpoint(model: Any) -> None:
    try:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise Unsupported(f"no gradient checkpointing: {error}") from None


def _speed_up(model: nn.Module, formulation: Formulation, speed: SpeedSpec) -> None:
    """The same computation in less time, whatever the method."""
    if speed.bulk_dropout:
        use_bulk_dropout(model)
    if speed.first_token and formulation.reads_pooled:
        keep_first_token(model)
