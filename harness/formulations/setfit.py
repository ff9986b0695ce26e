"""SetFit: labels from a logistic regression on embeddings that were trained on pairs."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskInfo, TaskKind
from harness.formulation import BoundFormulation, Formulation
from harness.task import Task


class SetFit(Formulation):
    """A logistic regression on embeddings of texts, which training has drawn together where the label is the same.

    With method full it is SetFit as published; any other method adapts the encoder instead. It is meant for a handful
    of examples, and for a rate of 2e-5.
    """

    source: ClassVar[str] = "Tunstall et al. 2022, https://arxiv.org/abs/2209.11055"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    model_classes: ClassVar[Mapping[BaseKind, str]] = {"encoder": "AutoModel"}

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """The regression is trained, whatever the method says."""
        if not task.is_trained:
            return "setfit fits a classifier to the training examples, so it is no way to answer without training"
        return super().skip(base, task)

    def bound(self, task: Task) -> type[BoundFormulation]:
        """The pairs, and the classifier."""
        from harness.formulations._setfit import BoundSetFit

        return BoundSetFit
