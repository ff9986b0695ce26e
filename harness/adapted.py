"""A base made ready for a task by a method: what training starts from, and what a stored adapter is loaded into."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from harness.bases.first_token import keep_first_token
from harness.bases.heads import reset_heads
from harness.bases.load import Base, load
from harness.checkpoint import trainable
from harness.errors import Unsupported
from harness.evaluation.choose import make_formulation
from harness.evaluation.formulation import Formulation
from harness.method import Context, Method, TaskInfo
from harness.seeds import derive
from harness.spec import RunSpec
from harness.task import Task
from harness.training.dropout import use_bulk_dropout
from harness.training.trunk import cache_trunk


@dataclass
class Adapted:
    """The model that the method returned, and how it answers; ``base.model`` may be part of it.

    ``added`` are the names of the trainable tensors that the base did not have.
    """

    model: nn.Module
    base: Base
    formulation: Formulation
    added: frozenset[str]


def load_base(spec: RunSpec, task: Task, method: Method) -> Base:
    """The base of a resolved spec with its heads drawn from the seed, the same for every method."""
    assert spec.formulation
    base = load(spec.base, spec.formulation, n_labels(task), method.unquantized_blocks)
    reset_heads(base.model, base.head_names, derive(spec.seed, "head"))
    return base


def adapt(spec: RunSpec, task: Task, method: Method, base: Base, total_steps: int) -> Adapted:
    """Apply the method to a base just loaded; what it draws at random depends on the seed alone."""
    assert spec.formulation
    base.n_virtual_tokens = method.virtual_tokens()
    formulation = make_formulation(spec, task, base, method.scoring())
    _speed_up(base.model, spec)
    own = {id(parameter) for parameter in base.model.parameters()}
    seed = derive(spec.seed, "init")
    torch.manual_seed(seed)
    info = TaskInfo(task.kind, spec.formulation, n_labels(task))
    model = method.apply(base.model, Context(base.info, info, base.head_names, total_steps, seed))
    added = frozenset(name for name, parameter in trainable(model).items() if id(parameter) not in own)
    if spec.training.gradient_checkpointing and method.trains:
        _checkpoint(model)
    if spec.training.cache_trunk and method.trains:
        base.n_cached_blocks = cache_trunk(model, base)
    return Adapted(model, base, formulation, added)


def _checkpoint(model: Any) -> None:
    try:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise Unsupported(f"no gradient checkpointing: {error}") from None


def _speed_up(model: nn.Module, spec: RunSpec) -> None:
    """The same computation in less time, whatever the method."""
    use_bulk_dropout(model)
    if spec.formulation == "head":
        keep_first_token(model)


def n_labels(task: Task) -> int:
    """Outputs of a head for the task: one for regression."""
    return len(task.labels) or 1
