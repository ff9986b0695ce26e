"""BOFT, butterfly orthogonal fine-tuning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes, common_block
from harness.method import Context, Family

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn


class BOFT(PeftLayers):
    """OFT whose rotations are products of sparse butterfly matrices, and each output is scaled.

    The size of the blocks and the rate are those of the paper for DeBERTaV3-base on SST-2 (table 7). More than
    one butterfly factor needs a CUDA extension that peft compiles, so there is one.
    """

    source: ClassVar[str] = "Liu et al. 2023, https://arxiv.org/abs/2311.06243"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 5e-5
    config_class: ClassVar[str] = "BOFTConfig"

    block_size: int = Field(8, ge=2, description="Inputs rotated together, at most: it must divide all layers'.")

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model wrapped by peft, which would try to compile its CUDA extension at every layer."""
        from peft.tuners.boft import layer

        layer.get_fbd_cuda = lambda: None
        return super().apply(model, context)

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The size of the blocks."""
        return {"boft_block_size": self._block(sizes), "boft_n_butterfly_factor": 1}

    def _block(self, sizes: Sequence[Sizes]) -> int:
        return common_block([inputs for inputs, _ in sizes], self.block_size)

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A matrix for each block of inputs, of which the skew-symmetric part counts, and a scale for each output."""
        return sum(inputs * self._block(sizes) + outputs for inputs, outputs in sizes)

    def space(self) -> Space:
        """The size of the blocks."""
        return {"learning_rate": Range(2e-5, 5e-3, log=True), "block_size": Choice((2, 4, 8, 16))}
