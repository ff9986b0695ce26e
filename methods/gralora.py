"""GraLoRA, granular low-rank adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class GraLoRA(PeftLayers):
    """Each frozen weight is cut into k x k blocks, and each block gets a low-rank update of its own.

    Rank and alpha are peft's; the rate is that of its own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Jung et al. 2025, https://arxiv.org/abs/2505.20355"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0002
    config_class: ClassVar[str] = "GraloraConfig"
    unbiased: ClassVar[bool] = True

    rank: int = Field(32, ge=2, description="Rank of the whole; LoRA of that rank has as many parameters.")
    n_blocks: int = Field(2, ge=1, description="k: it must divide the rank and the sizes of all layers.")
    alpha: float = Field(64, gt=0, description="Scale of the update; it is multiplied by alpha / rank.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank, blocks and scale."""
        return {"r": self.rank, "gralora_k": self.n_blocks, "alpha": self.alpha}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """As many as LoRA's."""
        return sum(self.rank * sum(size) for size in sizes)

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(5e-5, 1e-2, log=True),
            "rank": Choice((8, 16, 32, 64)),
            "n_blocks": Choice((2, 4)),
            "alpha": Range(16, 128, log=True),
        }
