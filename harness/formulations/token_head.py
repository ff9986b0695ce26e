"""A head on every word."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskKind
from harness.formulation import BoundFormulation, Formulation
from harness.task import Task


class TokenHead(Formulation):
    """A label for each word from a new head on its first sub-token."""

    source: ClassVar[str] = "Devlin et al. 2019, section 5.3, https://arxiv.org/abs/1810.04805"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"token_classification"})
    model_classes: ClassVar[Mapping[BaseKind, str]] = {
        "encoder": "AutoModelForTokenClassification",
        "decoder": "AutoModelForTokenClassification",
        "encoder_decoder": "AutoModelForTokenClassification",
    }
    has_head: ClassVar[bool] = True

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """After generated tags."""
        return 1

    def bound(self, task: Task) -> type[BoundFormulation]:
        """One sequence of words."""
        from harness.formulations._heads import BoundTokenHead

        return BoundTokenHead
