"""DEFT, decompositional efficient fine-tuning."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class DEFT(PeftLayers):
    """A trained low-rank subspace is taken out of each frozen weight, and a low-rank update is put in.

    Rank is peft's. The rate is the one that peft's own comparison trains most types with
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "https://arxiv.org/abs/2509.22793"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0001
    config_class: ClassVar[str] = "DeftConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(8, ge=1, description="Rank of the subspace.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank."""
        return {"r": self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """P and R."""
        return sum(self.rank * sum(size) for size in sizes)

    def space(self) -> Space:
        """What a search varies."""
        return {"learning_rate": Range(1e-4, 1e-2, log=True), "rank": Choice((4, 8, 16, 32))}
