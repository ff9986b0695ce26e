"""C3A, circular convolution adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import HeadRate, PeftLayers, Sizes, common_block
from harness.method import Family


class C3A(HeadRate, PeftLayers):
    """An update made of circulant blocks: each is a circular convolution with a trained kernel.

    Its kernels start at random (Xavier), so the first output is not the base's. Start, block and rates are those of the
    paper for RoBERTa-base on SST-2 (appendix F).
    """

    source: ClassVar[str] = "Chen et al. 2024, https://arxiv.org/abs/2407.19342"
    family: ClassVar[Family] = "spectral"
    starts_as_base: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.2
    config_class: ClassVar[str] = "C3AConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit",)
    unbiased: ClassVar[bool] = True

    head_learning_rate: float = Field(2e-4, gt=0, description="Peak rate of the task's head.")
    block_size: int = Field(128, ge=1, description="Size of a block, at most: it must divide the sizes of all layers.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The size of the blocks."""
        return {"block_size": self._block(sizes)}

    def _block(self, sizes: Sequence[Sizes]) -> int:
        return common_block([side for size in sizes for side in size], self.block_size)

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A kernel for each block of the matrix."""
        return sum(inputs * outputs // self._block(sizes) for inputs, outputs in sizes)

    def space(self) -> Space:
        """The size of the blocks."""
        return {
            "learning_rate": Range(1e-2, 1.0, log=True),
            "head_learning_rate": Range(1e-4, 1e-2, log=True),
            "block_size": Choice((32, 64, 128)),
        }
