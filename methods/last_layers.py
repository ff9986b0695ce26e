"""Fine-tuning of the last transformer blocks."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class LastLayers(Method):
    """The last blocks and the task's head are trained; everything below is frozen.

    Lee et al. find that a fourth of the blocks gives about 90 % of the quality of full fine-tuning. On a quantized base
    the trained blocks are loaded in full precision. Of an encoder-decoder the decoder's last blocks are trained.
    """

    source: ClassVar[str] = "Lee et al. 2019, https://arxiv.org/abs/1911.03090"
    family: ClassVar[Family] = "selective"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 5e-5

    n_layers: int = Field(2, ge=1, description="Blocks trained, counted from the output; all if the base has fewer.")

    def unquantized_blocks(self, n_blocks: int) -> range:
        """The blocks that are trained."""
        return range(max(0, n_blocks - self.n_layers), n_blocks)

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Where every block is trained, nothing is left to quantize."""
        if base.quantization != "none" and self.n_layers >= base.n_blocks:
            return f"last_layers trains all {base.n_blocks} blocks in full precision: nothing is left to quantize"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with all frozen but the last blocks and the head."""
        from harness.bases.anatomy import blocks
        from harness.bases.heads import train_heads_only

        train_heads_only(model, context.head_names)
        _, stack = blocks(model)
        stack[-self.n_layers :].requires_grad_(True)
        return model

    def space(self) -> Space:
        """The number of blocks."""
        return {"n_layers": Range(1, 4, integer=True)}

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The model itself."""
        return model
