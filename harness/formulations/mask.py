"""A word at a mask."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskInfo, TaskKind
from harness.formulation import BoundFormulation, Formulation
from harness.task import Task


class Mask(Formulation):
    """The label whose word is likeliest at a mask after the prompt, from an encoder as it is."""

    source: ClassVar[str] = "Schick and Schütze 2021, section 3, https://arxiv.org/abs/2001.07676"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    model_classes: ClassVar[Mapping[BaseKind, str]] = {"encoder": "AutoModelForMaskedLM"}

    def rank(self, base: BaseInfo, task: Task, trains: bool) -> int:
        """Of an encoder that is not trained and can fill in masks."""
        return 3 if base.has_mask_head and not trains else 0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Nothing is trained, and the checkpoint must fill in masks."""
        if task.is_trained:
            return "mask trains nothing: it answers with the base as it is"
        if not base.has_mask_head:
            return "mask fills in a mask, and this checkpoint has no mask-filling head"
        return super().skip(base, task)

    def bound(self, task: Task) -> type[BoundFormulation]:
        """Prompts that end with a mask."""
        from harness.formulations._mask import BoundMask

        return BoundMask
