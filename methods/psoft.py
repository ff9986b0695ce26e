"""PSOFT, orthogonal fine-tuning in a principal subspace."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class PSOFT(PeftLayers):
    """The largest singular directions of each frozen weight are rotated among each other, and scaled.

    Rank and rate are those of the paper for DeBERTaV3-base on SST-2 (table 10).
    """

    source: ClassVar[str] = "Wu et al. 2025, https://arxiv.org/abs/2505.11235"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 0.0002
    config_class: ClassVar[str] = "PsoftConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(46, ge=2, description="Singular directions that are rotated.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank; as alpha equals it, nothing is scaled."""
        return {"r": self.rank, "psoft_alpha": self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A rotation and two scales for each layer."""
        return len(sizes) * (self.rank * (self.rank - 1) // 2 + 2 * self.rank)

    def space(self) -> Space:
        """What a search varies."""
        return {"learning_rate": Range(5e-5, 5e-3, log=True), "rank": Choice((16, 32, 46, 64))}
