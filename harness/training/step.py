"""The gradients of one optimizer step."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean

from accelerate import Accelerator
from torch import Tensor

from harness.formulation import Batch
from harness.measure.hardware import autocast
from harness.training.hooks import Hooks, Trainee


class Step:
    """Adds the gradients of a step, cut into the batches that are passed through the model one by one, to ``.grad``.

    ``extra`` is the mean of the method's own loss over them at the last step, or None.
    """

    def __init__(self, trainee: Trainee, hooks: Hooks) -> None:
        self.trainee, self.hooks = trainee, hooks
        self.extra: float | None = None
        self._accelerator = Accelerator()
        self._minimized = hooks.losses(self._task)
        self._first: Tensor | None = None

    def __call__(self, batches: Sequence[Batch]) -> float:
        """The task loss of the step: the mean over all that is counted in it, however it is cut into batches."""
        return self.hooks.backward(partial(self._accumulate, batches))

    def _accumulate(self, batches: Sequence[Batch]) -> float:
        model, formulation = self.trainee.model, self.trainee.formulation
        device, precision = next(model.parameters()).device, formulation.spec.training.precision
        n_counted = max(1, sum(formulation.n_counted(batch.rows) for batch in batches))
        losses, extras = [], []
        for batch in batches:
            self._first = None
            with autocast(device, precision):
                loss = self._minimized(batch).sum() / n_counted
                extra = self.trainee.method.extra_loss(model, batch)
            self._accelerator.backward(loss if extra is None else loss + extra / len(batches))
            losses.append(loss.item() if self._first is None else (self._first / n_counted).item())
            extras += [] if extra is None else [extra.item()]
        self.extra = fmean(extras) if extras else None
        return sum(losses)

    def _task(self, batch: Batch) -> Tensor:
        """The task's losses; of the calls for one batch the first, at the weights as they are, is what is reported."""
        losses = self.trainee.formulation.losses(self.trainee.model, batch)
        if self._first is None:
            self._first = losses.detach().sum()
        return losses
