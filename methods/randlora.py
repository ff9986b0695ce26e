"""RandLoRA."""

from collections.abc import Sequence
from math import ceil
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class RandLoRA(PeftLayers):
    """A full-rank update: a sum of frozen random low-rank ones, each scaled by trained diagonal matrices.

    Rank and rate are those of the paper for language models (table 9).
    """

    source: ClassVar[str] = "Albert et al. 2025, https://arxiv.org/abs/2502.00987"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 1e-4
    config_class: ClassVar[str] = "RandLoraConfig"
    seed_field: ClassVar[str | None] = "projection_prng_key"

    rank: int = Field(6, ge=1, description="Rank of each random update; a lower one needs more of them.")
    alpha_ratio: float = Field(20, gt=0, description="Scale of the update (peft advises 20).")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """peft divides alpha by the rank."""
        return {"r": self.rank, "randlora_alpha": self.alpha_ratio * self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A rank and the smaller side for each of the updates that together reach full rank."""
        return sum(ceil(min(size) / self.rank) * (self.rank + min(size)) for size in sizes)

    def space(self) -> Space:
        """Rank and scale."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "rank": Choice((6, 10, 15, 32)),
            "alpha_ratio": Range(2, 40, log=True),
        }
