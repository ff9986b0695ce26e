"""Generated text."""

from typing import ClassVar

from harness.core.info import BaseInfo, TaskKind
from harness.formulation import BoundFormulation
from harness.formulations._language_model import LanguageModelFormulation
from harness.task import Task


class Generation(LanguageModelFormulation):
    """The text that the language model writes after the prompt; tags are written as text and read back."""

    source: ClassVar[str] = "Raffel et al. 2020, section 2.4, https://arxiv.org/abs/1910.10683"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"token_classification", "generation"})

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """Before a head: a language model needs no new parameters to answer."""
        return 4

    def bound(self, task: Task) -> type[BoundFormulation]:
        """Prompts, and the targets in training."""
        from harness.formulations._generation import BoundGeneration

        return BoundGeneration
