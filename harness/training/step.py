"""The gradients of one optimizer step."""

from collections.abc import Sequence
from functools import partial
from math import fsum

from torch import Tensor

from harness.formulation import Batch, Row
from harness.measure.hardware import autocast
from harness.training.hooks import Hooks, Trainee


class Step:
    """Adds the gradients of a step, cut into the batches that are passed through the model one by one, to ``.grad``.

    ``extra`` is the mean of the method's own loss over them at the last step, or None. Of several processes each has
    some of the batches, and all are left with the gradients and losses of the whole step.
    """

    def __init__(self, trainee: Trainee, hooks: Hooks) -> None:
        self.trainee, self.hooks = trainee, hooks
        self.extra: float | None = None
        self._minimized = hooks.losses(self._task)
        self._first: Tensor | None = None

    def __call__(self, batches: Sequence[Batch], parts: Sequence[Sequence[Row]] = ()) -> float:
        """The task loss of the step: the mean over all that is counted in it, however it is cut into batches.

        Args:
            batches: Those of this process.
            parts: The rows of the batches of all processes, by default of these.
        """
        return self.hooks.backward(partial(self._accumulate, batches, parts or [batch.rows for batch in batches]))

    def _accumulate(self, batches: Sequence[Batch], parts: Sequence[Sequence[Row]]) -> float:
        ranks = self.trainee.ranks
        with ranks.summing(self.trainee.model), ranks.together(), ranks.own_random():
            losses, extras = self._passes(batches, parts)
        loss, extra, n_extras = ranks.sums([sum(losses), fsum(extras), len(extras)])
        self.extra = extra / n_extras if n_extras else None
        return loss

    def _passes(self, batches: Sequence[Batch], parts: Sequence[Sequence[Row]]) -> tuple[list[float], list[float]]:
        """The task's and the method's own loss of each batch of this process, their gradients added to ``.grad``."""
        model, formulation = self.trainee.model, self.trainee.formulation
        device, precision = next(model.parameters()).device, formulation.spec.training.precision
        n_counted = max(1, sum(formulation.n_counted(rows) for rows in parts))
        losses, extras = [], []
        for batch in batches:
            self._first = None
            with autocast(device, precision):
                loss = self._minimized(batch).sum() / n_counted
                extra = self.trainee.method.extra_loss(model, batch)
            (loss if extra is None else loss + extra / len(parts)).backward()
            losses.append(loss.item() if self._first is None else (self._first / n_counted).item())
            extras += [] if extra is None else [extra.item()]
        return losses, extras

    def _task(self, batch: Batch) -> Tensor:
        """The task's losses; of the calls for one batch the first, at the weights as they are, is what is reported."""
        losses = self.trainee.formulation.losses(self.trainee.model, batch)
        if self._first is None:
            self._first = losses.detach().sum()
        return losses
