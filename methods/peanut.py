"""PEANuT, weight-aware neural tweakers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class PEANuT(PeftLayers):
    """The update of each frozen weight is what a small network gives for that weight.

    Rank, depth and scale are peft's. The rate is the one that peft's own comparison trains most types with
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Zhong et al. 2024, https://arxiv.org/abs/2410.01870"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0001
    config_class: ClassVar[str] = "PeanutConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("4bit",)

    rank: int = Field(32, ge=1, description="Width of the network.")
    depth: int = Field(0, ge=0, description="Pairs of layers between its first and its last.")
    scaling: float = Field(1.0, gt=0, description="Scale of the update.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Size and scale."""
        return {"r": self.rank, "depth": self.depth, "scaling": self.scaling}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """The layers of each network."""
        return sum(2 * self.rank * (outputs + self.depth * self.rank) for _, outputs in sizes)

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(1e-4, 1e-2, log=True),
            "rank": Choice((8, 16, 32, 64)),
            "depth": Choice((0, 1, 2)),
            "scaling": Range(0.5, 8, log=True),
        }
