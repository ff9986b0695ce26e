"""Mixup of embedded texts."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.formulation import Batch
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._embedded import rewritten, same_dropout

if TYPE_CHECKING:
    from torch import Tensor


class Mixup(Recipe):
    """Learn mixtures of two training texts, token by token as embedded, with their labels mixed in the same shares.

    The two are of the same pass; on a processor its texts are of similar length. What one has beyond the other's end
    is mixed with padding, and read. The curve's task loss is that of the mixtures for the first label.
    """

    source: ClassVar[str] = "Guo et al. 2019, section 3, wordMixup, https://arxiv.org/abs/1905.08941"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})  # the embedded tokens must be those of the pass

    alpha: float = Field(1.0, gt=0, description="Both parameters of the Beta distribution of the share.")

    @property
    def passes(self) -> float:
        """The mixture for the label of each of the two."""
        return 2.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A label or a number can be mixed, an answer in tokens not."""
        if task.has_head and task.kind in ("classification", "regression"):
            return None
        return "mixup needs one label or number per text, from a head"

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """share · L(mixture, own target) + (1 - share) · L(mixture, the other's target), shape (B,)."""
        import torch

        device, n_rows = batch.inputs["input_ids"].device, len(batch.rows)
        share = torch.distributions.Beta(self.alpha, self.alpha).sample((n_rows,)).to(device)
        order = torch.randperm(n_rows)

        def mix(embedded: "Tensor") -> "Tensor":
            part = share.view(-1, 1, 1).to(embedded.dtype)
            return part * embedded + (1 - part) * embedded[order.to(device)]

        own, other = mixed_batches(batch, order.tolist())
        losses = same_dropout(lambda mixed: rewritten(training, mix, lambda: inner(mixed)))
        return share * losses(own) + (1 - share) * losses(other)

    def space(self) -> Space:
        """From mostly one text to both alike."""
        return {"alpha": Range(0.1, 2.0, log=True)}


def mixed_batches(batch: Any, order: list[int]) -> tuple[Batch, Batch]:
    """The batch as it is read when row n is mixed with row ``order[n]``: with the targets of n, and of the other."""
    mask = batch.inputs["attention_mask"]
    inputs = batch.inputs | {"attention_mask": mask | mask[order]}
    targets = [batch.rows[n].example.target for n in order]
    both = zip(batch.rows, targets, strict=True)
    rows = [replace(row, example=replace(row.example, target=target)) for row, target in both]
    return Batch(batch.rows, inputs), Batch(rows, inputs)
