"""The one training loop."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from harness.core.spec import TrainingSpec
from harness.formulation import Batch, Row
from harness.metric import make_metric
from harness.storage.checkpoint import trainable
from harness.training.batches import passes, step_rows
from harness.training.epochs import Epochs
from harness.training.hooks import Hooks, Trainee
from harness.training.resume import Checkpoints, Holders
from harness.training.step import Step

Validate = Callable[[nn.Module], dict[str, float]]
OnStep = Callable[[int, int, float], None]
OnValidation = Callable[[int, dict[str, float]], None]


class Diverged(Exception):
    """The loss is not a number, or has exploded."""


@dataclass
class Fitted:
    """What training leaves: the model holds the last checkpoint; ``best`` the trainable tensors of the chosen one."""

    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int = 0
    steps: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    train_seconds: float = 0.0
    train_tokens: int = 0
    padded_tokens: int = 0
    optimizer_bytes: int | None = None
    augmented: dict[str, int] = field(default_factory=dict)
    best_score: float = -math.inf
    waited: int = 0
    """Validations since the best one."""
    resumed_at: int = 0
    """Steps that an earlier process had made; ``train_seconds`` are those of all."""

    def choose(self, model: nn.Module, score: float) -> None:
        """Keep the weights that stand in the model, if the score (more is better) is above all before."""
        self.waited += 1
        if score > self.best_score:
            self.best_score, self.waited, self.best_step, self.best = score, 0, self.steps, snapshot(model)

    def count(self, batches: Sequence[Batch], parts: Sequence[Sequence[Row]], step: int, seconds: float) -> None:
        """Add a step of some passes; its tokens once, however often they went through the model.

        Args:
            batches: Those of this process.
            parts: The rows of the batches of all processes.
            step: Its number.
            seconds: What it took.
        """
        self.steps = step
        self.train_seconds += seconds
        self.train_tokens += sum(row.n_tokens for part in parts for row in part)
        self.padded_tokens += sum(batch.inputs["input_ids"].numel() for batch in batches)


def fit(
    trainee: Trainee,
    rows: Sequence[Row],
    n_steps: int,
    validate: Validate,
    on_step: OnStep = lambda step, tokens, loss: None,
    on_validation: OnValidation = lambda step, point: None,
    checkpoints: Checkpoints | None = None,
) -> Fitted:
    """Train for ``n_steps`` optimizer steps and keep the checkpoint with the best primary validation metric.

    Args:
        trainee: Of its model exactly the parameters that require grad are trained.
        rows: Training rows of its formulation.
        n_steps: Optimizer steps.
        validate: Metrics of the model as it stands; of equal ones the earliest checkpoint is kept.
        on_step: Told the step, the real tokens so far and the loss.
        on_validation: Told the step and its point of the curve; what it raises passes through. After an interruption
            it is told again of the validations before.
        checkpoints: Where the state is kept, and from which an interrupted training goes on.

    Raises:
        Diverged: the loss is not finite, or its running mean is ten times the first one and above ten.
        OtherProcess: one of the others failed in a step.
        Apart: the processes no longer hold the same weights.
    """
    model, formulation, ranks = trainee.model, trainee.formulation, trainee.ranks
    spec, metric = formulation.spec.training, make_metric(formulation.task.metrics[0])
    training = trainee.training(n_steps)
    hooks = Hooks(trainee.method, trainee.recipes, training)
    hooks.begin()
    optimizer, schedule = _optimizer(hooks, spec)
    epochs = Epochs(trainee, hooks, rows)
    order = step_rows(rows, formulation.spec, epochs, hooks.draw)
    per_epoch = -(-len(rows) // spec.batch_size) / spec.accumulation_steps
    eval_every = spec.eval_every or max(1, round(per_epoch))
    gradients, trained, device = Step(trainee, hooks), training.trained, next(model.parameters()).device
    fitted, watch, holders = Fitted(), LossWatch(), Holders(hooks, optimizer, schedule, trainee.reach)
    if checkpoints and (state := checkpoints.load()):
        _go_on(state, order, holders, fitted, watch)
        for point in fitted.curve:
            on_validation(int(point["step"]), point)
    for step in range(fitted.steps + 1, n_steps + 1):
        if spec.patience and fitted.waited >= spec.patience:
            break
        started = time.perf_counter()
        model.train()
        training.step = step
        shares = ranks.shares(next(order))
        cut = [passes(share, spec.batch_size, formulation.max_padding(model)) for share in shares]
        batches = [formulation.collate(part, device) for part in cut[ranks.rank]]
        parts = [part for of_rank in cut for part in of_rank]
        loss = gradients(batches, parts)
        torch.nn.utils.clip_grad_norm_(trained, spec.clip_norm)
        optimizer.step()
        schedule.step()
        hooks.after_step()
        optimizer.zero_grad()
        fitted.count(batches, parts, step, time.perf_counter() - started)
        watch.see(loss, step)
        on_step(step, fitted.train_tokens, loss)
        if step % eval_every == 0 or step == n_steps:
            ranks.check_equal(model)
            with hooks.weights():
                metrics = validate(model)
                extra = {} if gradients.extra is None else {"extra_loss": gradients.extra}
                point = {"step": step, "seconds": fitted.train_seconds, "train_loss": watch.mean}
                fitted.curve.append(point | metrics | extra | training.take_logged())
                on_validation(step, fitted.curve[-1])
                fitted.choose(model, metric.sign * metrics[f"validation/{metric.name}"])
        if checkpoints and checkpoints.due(step):
            checkpoints.save(step, {"fitted": vars(fitted), "watch": vars(watch), "holders": holders.state_dict()})
    fitted.optimizer_bytes = _kept_bytes(optimizer)
    fitted.padded_tokens = int(ranks.sums([fitted.padded_tokens])[0])
    fitted.augmented = epochs.counts
    if trainee.recipes:
        _leave_judged(hooks)
    return fitted


def _go_on(
    state: dict[str, Any], order: Iterator[list[Row]], holders: Holders, fitted: Fitted, watch: "LossWatch"
) -> None:
    """Take a state back; the steps before are drawn again, for what epochs and recipes count."""
    n_steps = state["fitted"]["steps"]
    for step in range(1, n_steps + 1):
        holders.hooks.training.step = step
        next(order)
    holders.load_state_dict(state["holders"])
    vars(fitted).update(state["fitted"], resumed_at=n_steps)
    vars(watch).update(state["watch"])


def _leave_judged(hooks: Hooks) -> None:
    """Put the weights that were judged last into the model."""
    with hooks.weights():
        last = snapshot(hooks.training.model)
    restore(hooks.training.model, last)


def _optimizer(hooks: Hooks, spec: TrainingSpec) -> tuple[Optimizer, LRScheduler]:
    """AdamW unless the method or a recipe has its own, and the schedule with its warm-up."""
    usual = partial(torch.optim.AdamW, weight_decay=spec.weight_decay, fused=True)
    optimizer, n_steps = hooks.optimizer(spec.learning_rate or 0.0, usual), hooks.training.n_steps
    warmup = math.ceil(n_steps * spec.warmup_ratio)
    return optimizer, get_scheduler(spec.schedule, optimizer, num_warmup_steps=warmup, num_training_steps=n_steps)


def _kept_bytes(optimizer: Optimizer) -> int:
    """Of all tensors in the optimizer's state."""
    kept = (value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value))
    return sum(value.nbytes for value in kept)


@dataclass
class LossWatch:
    """Running mean of the loss (weight 0.95 on the past), and the verdict that it exploded."""

    mean: float = math.nan
    first: float = math.nan

    def see(self, loss: float, step: int) -> None:
        """Take the loss of a step.

        Raises:
            Diverged: with the figures.
        """
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} at step {step}")
        self.first = loss if math.isnan(self.first) else self.first
        self.mean = loss if math.isnan(self.mean) else 0.95 * self.mean + 0.05 * loss
        if self.mean > 10 * max(self.first, 1.0):
            raise Diverged(f"the loss grew from {self.first:.3g} to {self.mean:.3g} (running mean) by step {step}")


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the trainable tensors, on the CPU."""
    return {name: parameter.detach().to("cpu", copy=True) for name, parameter in trainable(model).items()}


@torch.no_grad()
def restore(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put a snapshot back, in place."""
    parameters = trainable(model)
    for name, tensor in tensors.items():
        parameters[name].copy_(tensor)
