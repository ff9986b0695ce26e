"""Learning from other tasks beside this one, or before it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Beside, Losses, Recipe, Space, TaskInfo, Training

if TYPE_CHECKING:
    from torch import Tensor, nn


class MultiTask(Recipe):
    """Learn from the training examples of other tasks beside this one's, or, for a share of the steps, before them.

    A pass has as many examples of one other task as it has of this one, tasks drawn by their sizes. A language model is
    asked them in its own way; with a head a task of the same labels shares it, another has a linear one of its own on
    the mean of the tokens, as sources have one a task, which is not stored. Selection and test are this task's alone.
    With ``first`` it is intermediate training (Phang et al. 2018, https://arxiv.org/abs/1811.01088): the steps
    are no more than without, so this task has fewer.
    """

    source: ClassVar[str] = "Liu et al. 2019, algorithm 1, https://arxiv.org/abs/1901.11504"
    needs: ClassVar[frozenset[Need]] = frozenset({"hidden_states"})
    is_shareable: ClassVar[bool] = False  # its own heads get gradients that nobody sums

    others: tuple[str, ...] = Field((), description="The other tasks: registered ones, or files.")
    limit: int | None = Field(None, ge=2, description="Training examples of each at most (seeded).")
    weight: float = Field(1.0, ge=0, description="Weight of their loss beside this task's.")
    first: float = Field(0.0, ge=0, lt=1, description="Share of the steps that come first and learn from them alone.")
    alone_after: bool = Field(False, description="Whether this task is learned alone after these steps.")
    _beside: list[Beside] = PrivateAttr(default_factory=list)
    _heads: "list[nn.Module | None]" = PrivateAttr(default_factory=list)
    _random: Any = PrivateAttr(default=None)
    _drawn_at: int = PrivateAttr(default=0)

    @property
    def passes(self) -> float:
        """This task's and another's; one of them where they come one after the other."""
        return 1.0 if self.alone_after else 2.0 - self.first

    def tasks(self) -> Sequence[str]:
        """The others."""
        return self.others

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """There must be others."""
        return None if self.others else "multi_task needs other tasks: set its others"

    def begin(self, training: Training) -> None:
        """Read them; draw their heads from the seed.

        Raises:
            Unsupported: the run's formulation can't ask one of them.
        """
        assert training.beside
        self._beside = [training.beside(name, self.limit) for name in self.others]
        self._heads = [self._head(training, n) for n in range(len(self.others))]
        self._drawn_at = -1
        training.log("multi_task/examples", sum(len(one.rows) for one in self._beside))
        training.log("multi_task/left_out", sum(one.n_left_out for one in self._beside))

    def _head(self, training: Training, n: int) -> "nn.Module | None":
        if not self._beside[n].own_outputs:
            return None
        from harness.recipes._heads import OwnHead

        of_words = self._beside[n].formulation.task.kind == "token_classification"
        return OwnHead(training, self._beside[n].own_outputs, f"multi_task/{self.others[n]}", of_words=of_words)

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The other tasks' heads, at the largest rate."""
        own = [parameter for head in self._heads if head is not None for parameter in head.parameters()]
        return [*groups, {"params": own, "lr": max(group["lr"] for group in groups)}] if own else groups

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses by row and, spread over what is counted in the rows, the mean of another's; shape (B,)."""
        import torch

        is_first = training.step <= self.first * training.n_steps
        if not is_first and self.alone_after:
            return inner(batch)
        other = self._other(training, batch)
        training.log("multi_task/loss", other.item())
        counted = [training.n_counted([row]) for row in batch.rows]
        spread = other * torch.tensor(counted, device=other.device)
        return spread if is_first else inner(batch) + self.weight * spread

    def _other(self, training: Training, batch: Any) -> "Tensor":
        """The mean loss of as many examples of another task."""
        random = self._generator(training)
        sizes = [len(one.rows) for one in self._beside]
        n = random.choice(len(sizes), p=[size / sum(sizes) for size in sizes])
        one, head = self._beside[n], self._heads[n]
        places = random.choice(sizes[n], size=min(len(batch.rows), sizes[n]), replace=False)
        rows = [one.rows[place] for place in places]
        given = one.formulation.collate(rows, batch.inputs["input_ids"].device)
        losses: Tensor = one.formulation.losses(head if head is not None else training.model, given)
        return losses.sum() / max(1, one.formulation.n_counted(rows))

    def _generator(self, training: Training) -> Any:
        """Random numbers that follow from the seed and the step."""
        import numpy as np

        from harness.core.seeds import derive

        if self._drawn_at != training.step:
            self._random = np.random.default_rng(derive(training.seed, f"multi_task/step {training.step}"))
            self._drawn_at = training.step
        return self._random

    def state_dict(self) -> dict[str, Any]:
        """The other tasks' heads."""
        return {str(n): head.state_dict() for n, head in enumerate(self._heads) if head is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The same."""
        for n, head in enumerate(self._heads):
            if head is not None:
                head.load_state_dict(state[str(n)])

    def space(self) -> Space:
        """How much they count."""
        return {"weight": Range(0.1, 10.0, log=True)}
