"""A head on the pooled output."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskKind
from harness.formulation import BoundFormulation, Formulation
from harness.task import Task


class Head(Formulation):
    """Labels, a number, or a score for each choice from a new head on an encoder, or on a decoder's last token."""

    source: ClassVar[str] = "Devlin et al. 2019, sections 4.1 and 4.4, https://arxiv.org/abs/1810.04805"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice", "regression"})
    model_classes: ClassVar[Mapping[BaseKind, str]] = {
        "encoder": "AutoModelForSequenceClassification",
        "decoder": "AutoModelForSequenceClassification",
        "encoder_decoder": "AutoModelForSequenceClassification",
    }
    has_head: ClassVar[bool] = True
    reads_pooled: ClassVar[bool] = True

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """After language models; untrained it answers at random."""
        return 3 if trains else 1

    def bound(self, task: Task) -> type[BoundFormulation]:
        """One sequence, or one for each choice."""
        from harness.formulations._heads import BoundChoiceHead, BoundHead

        return BoundChoiceHead if task.kind == "multiple_choice" else BoundHead
