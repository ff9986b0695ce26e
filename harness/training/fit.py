"""The one training loop."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from harness.core.spec import TrainingSpec
from harness.formulation import BoundFormulation, Row
from harness.measure.hardware import autocast
from harness.method import Method
from harness.metric import make_metric
from harness.storage.checkpoint import trainable
from harness.training.batches import passes, step_rows

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


def fit(
    model: nn.Module,
    method: Method,
    formulation: BoundFormulation,
    rows: Sequence[Row],
    n_steps: int,
    validate: Validate,
    on_step: OnStep = lambda step, tokens, loss: None,
    on_validation: OnValidation = lambda step, metrics: None,
) -> Fitted:
    """Train for ``n_steps`` optimizer steps and keep the checkpoint with the best primary validation metric.

    Args:
        model: The model that ``method.apply`` returned; exactly the parameters that require grad are trained.
        rows: Training rows of ``formulation``.
        validate: Metrics of the model as it stands; of equal ones the earliest checkpoint is kept.
        on_step: Told the step, the real tokens so far and the loss.
        on_validation: Told the step and the metrics; what it raises passes through.

    Raises:
        Diverged: the loss is not finite, or its running mean is ten times the first one and above ten.
    """
    spec, metric = formulation.spec.training, make_metric(formulation.task.metrics[0])
    trained = list(trainable(model).values())
    optimizer, schedule = _optimizer(trained, spec, n_steps)
    order = step_rows(rows, formulation.spec)
    per_epoch = -(-len(rows) // spec.batch_size) / spec.accumulation_steps
    eval_every = spec.eval_every or max(1, round(per_epoch))
    backward = _Backward(model, method, formulation, Accelerator())
    fitted, watch, best, waited = Fitted(), LossWatch(), -math.inf, 0
    for step in range(1, n_steps + 1):
        started = time.perf_counter()
        model.train()
        loss, extra = backward(next(order), fitted)
        torch.nn.utils.clip_grad_norm_(trained, spec.clip_norm)
        optimizer.step()
        schedule.step()
        method.after_step(model, step)
        optimizer.zero_grad()
        fitted.train_seconds += time.perf_counter() - started
        fitted.steps = step
        watch.see(loss, step)
        on_step(step, fitted.train_tokens, loss)
        if step % eval_every and step != n_steps:
            continue
        metrics = validate(model)
        point = {"step": step, "seconds": fitted.train_seconds, "train_loss": watch.mean, **metrics}
        fitted.curve.append(point if extra is None else point | {"extra_loss": extra})
        on_validation(step, metrics)
        waited += 1
        score = metric.sign * metrics[f"validation/{metric.name}"]
        if score > best:
            best, waited, fitted.best_step, fitted.best = score, 0, step, snapshot(model)
        if spec.patience and waited >= spec.patience:
            break
    return fitted


def _optimizer(trained: list[nn.Parameter], spec: TrainingSpec, n_steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW, and the schedule with its warm-up."""
    optimizer = torch.optim.AdamW(trained, lr=spec.learning_rate or 0.0, weight_decay=spec.weight_decay, fused=True)
    warmup = math.ceil(n_steps * spec.warmup_ratio)
    return optimizer, get_scheduler(spec.schedule, optimizer, num_warmup_steps=warmup, num_training_steps=n_steps)


@dataclass
class _Backward:
    """Gradients of one optimizer step."""

    model: nn.Module
    method: Method
    formulation: BoundFormulation
    accelerator: Accelerator

    def __call__(self, taken: list[Row], counts: Fitted) -> tuple[float, float | None]:
        """Accumulate over the passes; the mean task loss, and the mean of the method's own, logged apart.

        The task loss is the mean over all that is counted in the step, however it is cut into passes: a pass weighs
        as much as it holds of what the formulation counts.
        """
        device = next(self.model.parameters()).device
        cut = passes(taken, self.formulation.spec.training.batch_size, self.formulation.max_padding(self.model))
        n_counted = max(1, self.formulation.n_counted(taken))
        losses, extras = [], []
        for rows in cut:
            batch = self.formulation.collate(rows, device)
            with autocast(device, self.formulation.spec.training.precision):
                loss = self.formulation.losses(self.model, batch).sum() / n_counted
                extra = self.method.extra_loss(self.model)
            self.accelerator.backward(loss if extra is None else loss + extra / len(cut))
            losses.append(loss.item())
            extras += [] if extra is None else [extra.item()]
            counts.train_tokens += sum(row.n_tokens for row in rows)
            counts.padded_tokens += batch.inputs["input_ids"].numel()
        return sum(losses), fmean(extras) if extras else None


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
