"""HiRA, Hadamard high-rank adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class HiRA(PeftLayers):
    """A low-rank update multiplied elementwise by the frozen weight, W * (B A), so that its rank can be high.

    The rank is peft's; the rate is that of its own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison), as a weight times a small factor moves slowly.
    """

    source: ClassVar[str] = "Huang et al. 2025, https://openreview.net/forum?id=TwJrTz9cRS"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 4.5e-3
    config_class: ClassVar[str] = "HiraConfig"

    rank: int = Field(32, ge=1, description="Rank of B A.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the inputs that is dropped in training.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and dropout."""
        return {"r": self.rank, "hira_dropout": self.dropout}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A and B."""
        return sum(self.rank * sum(size) for size in sizes)

    def space(self) -> Space:
        """Size and regularization."""
        return {
            "learning_rate": Range(3e-4, 3e-2, log=True),
            "rank": Choice((4, 8, 16, 32)),
            "dropout": Range(0.0, 0.2),
        }
