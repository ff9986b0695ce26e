"""OFT, orthogonal fine-tuning."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes, common_block
from harness.method import Family


class OFT(PeftLayers):
    """The inputs of each frozen weight are rotated in blocks, by trained orthogonal matrices.

    The size of the blocks and the rate are those that Liu et al. 2023 (https://arxiv.org/abs/2311.06243, table 7) use
    for DeBERTaV3-base on SST-2.
    """

    source: ClassVar[str] = "Qiu et al. 2023, https://arxiv.org/abs/2306.07280"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 2e-4
    config_class: ClassVar[str] = "OFTConfig"

    block_size: int = Field(16, ge=2, description="Inputs rotated together, at most: it must divide all layers'.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The size of the blocks."""
        return {"r": 0, "oft_block_size": self._block(sizes)}

    def _block(self, sizes: Sequence[Sizes]) -> int:
        return common_block([inputs for inputs, _ in sizes], self.block_size)

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A skew-symmetric matrix for each block of inputs."""
        return sum(inputs * (self._block(sizes) - 1) // 2 for inputs, _ in sizes)

    def space(self) -> Space:
        """The size of the blocks."""
        return {"learning_rate": Range(2e-5, 5e-3, log=True), "block_size": Choice((4, 8, 16, 32))}
