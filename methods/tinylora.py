"""TinyLoRA."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class TinyLoRA(PeftLayers):
    """A vector of a few numbers for each layer, spread by fixed random matrices over the weight's singular directions.

    The settings are peft's; the rate is that of its own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Morris et al. 2026, https://arxiv.org/abs/2602.04118"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.001
    config_class: ClassVar[str] = "TinyLoraConfig"
    seed_field: ClassVar[str | None] = "projection_seed"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(2, ge=1, description="Singular directions of the frozen weight.")
    n_values: int = Field(64, ge=1, description="Trained numbers of each layer.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and length."""
        return {"r": self.rank, "u": self.n_values}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """The vectors."""
        return self.n_values * len(sizes)

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(3e-4, 1e-1, log=True),
            "rank": Choice((1, 2, 4)),
            "n_values": Choice((1, 4, 16, 64)),
        }
