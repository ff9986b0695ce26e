"""The likelihood of each answer after the prompt."""

from typing import ClassVar

from harness.core.info import BaseInfo, TaskKind
from harness.formulation import BoundFormulation
from harness.formulations._language_model import LanguageModelFormulation
from harness.task import Task


class Likelihood(LanguageModelFormulation):
    """The label or choice whose text the language model finds likeliest after the prompt."""

    source: ClassVar[str] = "Brown et al. 2020, section 2.4, https://arxiv.org/abs/2005.14165"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice"})

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """Before a head: a language model needs no new parameters to answer."""
        return 4

    def bound(self, task: Task) -> type[BoundFormulation]:
        """Prompts and the answers that continue them."""
        from harness.formulations._likelihood import BoundLikelihood

        return BoundLikelihood
