"""Masked language modelling beside the task."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._unlabelled import own_head, row_means, tied_head, token_states

if TYPE_CHECKING:
    from torch import Tensor


class MaskedLM(Recipe):
    """Fill in masked tokens of the training texts beside the task.

    With the head that the checkpoint was pretrained with, frozen; a checkpoint without one has its embeddings for it,
    and the curve says so: ``masked_lm/has_head`` is 0. The source pretrains so and gives no weight beside a task.
    """

    source: ClassVar[str] = "Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805"
    needs: ClassVar[frozenset[Need]] = frozenset({"hidden_states"})

    weight: float = Field(0.1, ge=0, description="Weight of the loss of masked tokens.")
    rate: float = Field(0.15, gt=0, lt=1, description="Share of the tokens to be told; 8 of 10 are masked.")
    task_weight: float = Field(1.0, ge=0, description="Weight of the task's loss; 0 learns from the texts alone.")
    _head: "Callable[[Tensor], Tensor] | None" = PrivateAttr(default=None)
    _has_head: bool = PrivateAttr(default=False)

    @property
    def passes(self) -> float:
        """The text as it is, and masked."""
        return 2.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only an encoder reads on both sides of a mask."""
        return None if base.kind == "encoder" else f"masked_lm needs an encoder; this base is {base.kind}"

    def begin(self, training: Training) -> None:
        """Find the head.

        Raises:
            Unsupported: the tokenizer has no mask.
        """
        if training.tokenizer is None or training.tokenizer.mask_token_id is None:
            raise Unsupported("masked_lm needs a tokenizer with a mask token; this base's has none")
        head = own_head(training.base)
        self._has_head, self._head = head is not None, head or tied_head(training)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and the mean cross-entropy of the tokens to be told, by row, shape (B,)."""
        import torch
        from torch.nn.functional import cross_entropy

        assert self._head
        losses, ids = inner(batch), batch.inputs["input_ids"]
        chosen = self._chosen(training, batch)
        states = token_states(training, batch.inputs | {"input_ids": self._masked(training, ids, chosen)})
        told = torch.zeros(ids.shape, device=ids.device)
        told[chosen] = cross_entropy(self._head(states[chosen]).float(), ids[chosen], reduction="none")
        added = row_means(told, chosen, batch)
        training.log("masked_lm/loss", told[chosen].mean().item() if chosen.any() else 0.0)
        training.log("masked_lm/has_head", float(self._has_head))
        return self.task_weight * losses + self.weight * added

    def _chosen(self, training: Training, batch: Any) -> "Tensor":
        """Which tokens are to be told: of the texts, not those that the tokenizer puts around them."""
        from harness.bases.masking import choose_tokens

        assert training.tokenizer
        return choose_tokens(training.tokenizer, batch.inputs, self.rate)

    def _masked(self, training: Training, ids: "Tensor", chosen: "Tensor") -> "Tensor":
        """Of the chosen tokens 8 of 10 are masked, one is a random one, one is left."""
        from harness.bases.masking import mask_tokens

        assert training.tokenizer
        return mask_tokens(training.tokenizer, ids, chosen)

    def space(self) -> Space:
        """How much it counts beside the task."""
        return {"weight": Range(0.01, 1.0, log=True)}
