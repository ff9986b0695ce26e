"""MiSS, matrix shard sharing."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class MiSS(PeftLayers):
    """An update whose rows repeat: one trained block is shared by all shards of the inputs.

    Rank and rate are those of the paper for language models; on a small base in few steps the rate is far too low.
    """

    source: ClassVar[str] = "Kang & Yin 2024, https://arxiv.org/abs/2409.15371"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 2e-5
    config_class: ClassVar[str] = "MissConfig"

    rank: int = Field(64, ge=1, description="Rows of the block.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank."""
        return {"r": self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """The block."""
        return sum(self.rank * outputs for _, outputs in sizes)

    def space(self) -> Space:
        """The rank."""
        return {"learning_rate": Range(2e-5, 1e-2, log=True), "rank": Choice((8, 16, 32, 64))}
