"""RoAd, two-dimensional rotary adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes, common_block
from harness.method import Family


class RoAd(PeftLayers):
    """Pairs of a layer's outputs are rotated and scaled.

    The rate is that of the paper for RoBERTa-base on SST-2 (table C.3).
    """

    source: ClassVar[str] = "Liao & Monz 2024, https://arxiv.org/abs/2409.00119"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 3e-3
    config_class: ClassVar[str] = "RoadConfig"

    variant: Literal[1, 2, 4] = Field(1, description="Angles and scales for each pair of outputs.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The group says which outputs are paired, so it must be even and divide them; the paper's is 64 at most."""
        group = common_block([outputs for _, outputs in sizes], at_most=64)
        return {"variant": f"road_{self.variant}", "group_size": group}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """An angle and a scale for each pair, as often as the variant says."""
        return sum(self.variant * outputs for _, outputs in sizes)

    def space(self) -> Space:
        """The variant."""
        return {"learning_rate": Range(3e-4, 3e-2, log=True), "variant": Choice((1, 2, 4))}
