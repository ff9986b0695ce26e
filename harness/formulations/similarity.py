"""How alike texts are."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskInfo, TaskKind
from harness.formulation import BoundFormulation, Formulation
from harness.task import Task


class Similarity(Formulation):
    """The cosine of embedded texts: of a pair, or of a text and each label's description or choice."""

    source: ClassVar[str] = "Reimers and Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice", "regression"})
    model_classes: ClassVar[Mapping[BaseKind, str]] = {
        "encoder": "AutoModel",
        "decoder": "AutoModel",
    }

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """Of an encoder that is not trained, unless a number is asked of a single text."""
        is_of_one_text = task.kind == "regression" and len(task.text) < 2
        return 2 if base.kind == "encoder" and not trains and not is_of_one_text else 0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Trained it is for likeness alone, untrained for sentence encoders alone."""
        if task.is_trained and not task.asks_likeness:
            return "similarity trains nothing but the likeness of two texts, which this task doesn't ask for"
        if not task.is_trained and not base.is_sentence_embedding:
            return "similarity compares embeddings of sentences, and this checkpoint was not trained to embed them"
        return super().skip(base, task)

    def bound(self, task: Task) -> type[BoundFormulation]:
        """The texts that are compared."""
        from harness.formulations._similarity import BoundSimilarity

        return BoundSimilarity
