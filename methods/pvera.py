"""PVeRA, probabilistic VeRA."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class PVeRA(PeftLayers):
    """VeRA whose inner vector is drawn from a learned normal distribution in training; its mean is used to answer.

    The rate is that of peft's own comparison (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "https://arxiv.org/abs/2512.07703"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 3e-3
    config_class: ClassVar[str] = "PveraConfig"
    seed_field: ClassVar[str | None] = "projection_prng_key"

    rank: int = Field(256, ge=1, description="Rank of the random matrices.")
    initial_d: float = Field(0.1, description="Value of d at the start; b starts at zero.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and start."""
        return {"r": self.rank, "d_initial": self.initial_d}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """d for means and for variances, and b."""
        return sum(2 * self.rank + outputs for _, outputs in sizes)

    def space(self) -> Space:
        """Rank and start."""
        return {
            "learning_rate": Range(5e-4, 5e-2, log=True),
            "rank": Choice((64, 256, 1024)),
            "initial_d": Choice((1e-7, 0.1, 1.0)),
        }
