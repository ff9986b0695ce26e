"""LoHa, low-rank Hadamard product."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class LoHa(PeftLayers):
    """An update that is the elementwise product of two low-rank ones, so its rank reaches the square of theirs.

    Rank, alpha and the middle one of three rates are the defaults of LyCORIS (Yeh et al. 2023, section 5,
    https://arxiv.org/abs/2309.14859), which brought the layer to fine-tuning.
    """

    source: ClassVar[str] = "Hyeon-Woo et al. 2021, https://arxiv.org/abs/2108.06098"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 5e-4
    config_class: ClassVar[str] = "LoHaConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("4bit",)

    rank: int = Field(4, ge=1, description="Rank of each of the two factors.")
    alpha: float = Field(2, gt=0, description="Scale of the update; it is multiplied by alpha / rank.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and scale."""
        return {"r": self.rank, "alpha": self.alpha}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """Two low-rank updates."""
        return sum(2 * self.rank * sum(size) for size in sizes)

    def space(self) -> Space:
        """Rank and scale."""
        return {
            "learning_rate": Range(5e-5, 1e-2, log=True),
            "rank": Choice((2, 4, 8, 16)),
            "alpha": Range(1, 32, log=True),
        }
