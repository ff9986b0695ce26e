"""A probe on the frozen base."""

from typing import TYPE_CHECKING, ClassVar

from harness.core.space import Range, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class LinearProbe(Method):
    """The task's head is trained and nothing else: what the frozen base tells a small classifier.

    With an untrained pooler below it the head has two layers. The whole base is computed once per example, so later
    epochs cost next to nothing. No paper gives a rate that holds for features of any scale; the default is usual for
    AdamW on a new layer.
    """

    family: ClassVar[Family] = "selective"
    source: ClassVar[str] = "Alain & Bengio 2016, https://arxiv.org/abs/1610.01644"
    learning_rate: ClassVar[float] = 1e-3

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A language model that answers in words gets no head."""
        return None if task.has_head else f"formulation {task.formulation} makes no head that could be trained"

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with all frozen but its head."""
        from harness.bases.heads import train_heads_only

        train_heads_only(model, context.head_names)
        return model

    def expected_params(self, base: BaseInfo) -> int:
        """None beside the head."""
        return 0

    def space(self) -> Space:
        """The rate, over a wide range: it depends on the scale of the features."""
        return {"learning_rate": Range(1e-4, 1e-1, log=True)}

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The model itself."""
        return model
