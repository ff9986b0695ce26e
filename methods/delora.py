"""DeLoRA, decoupled low-rank adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class DeLoRA(PeftLayers):
    """A low-rank update whose directions are normalized and whose strength is one trained number, lambda.

    lambda and rate are those of the paper for RoBERTa-base on SST-2 (table 9). On minilm that lambda stays at chance at
    every rate, and 1 learns: search it.
    """

    source: ClassVar[str] = "Bini et al. 2025, https://arxiv.org/abs/2503.18225"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 1e-3
    config_class: ClassVar[str] = "DeloraConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(8, ge=1, description="Rank of the update.")
    strength: float = Field(12, gt=0, description="lambda at the start, which bounds the update's norm.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the inputs that is dropped in training.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank, strength and dropout."""
        return {"r": self.rank, "delora_lambda": self.strength, "module_dropout": self.dropout}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A, B and lambda."""
        return sum(self.rank * sum(size) + 1 for size in sizes)

    def space(self) -> Space:
        """Size and strength."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "rank": Choice((4, 8, 16, 32)),
            "strength": Choice((1, 2, 4, 8, 12, 16)),
        }
