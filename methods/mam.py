"""MAM adapters: a prefix and parallel adapters."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Space
from harness.libraries.peft_prompts import KeysAndValues
from harness.method import BaseInfo, Context, Family

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn


class MAM(KeysAndValues):
    """A prefix in every attention, and a scaled bottleneck adapter beside every feed-forward network.

    The adapters are those of method adapters at placement parallel. He et al. take 16 tokens and a width of 16 on GLUE,
    of 768 or 1,024, and 30 tokens and half of the hidden size on summaries; adapters as wide as these don't learn at
    the rate of others, which is the default here: theirs, 1e-4 on GLUE, is for tens of thousands of steps.
    """

    source: ClassVar[str] = "He et al. 2021, https://arxiv.org/abs/2110.04366"
    family: ClassVar[Family] = "bottleneck"
    version: ClassVar[int] = 2  # sizes as on GLUE
    learning_rate: ClassVar[float] = 1e-3

    n_virtual_tokens: int = Field(16, ge=1, description="Length of the prefix.")
    reduction_factor: float = Field(16, gt=0, description="Hidden size divided by the bottleneck's width.")

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model with adapters in every block, wrapped by peft.

        Raises:
            Unsupported: the blocks are of a family whose sub-layers are not known.
        """
        from harness.methods._bottleneck import PLACEMENTS, bottleneck, insert

        hidden, placement = context.base.hidden_size, PLACEMENTS["parallel"]
        insert(model, placement, lambda: bottleneck(hidden, self._width(hidden), placement.activation))
        wrapped = super().apply(model, context)
        for name, module in wrapped.named_modules():
            if name.endswith("feed_forward_adapter"):
                module.requires_grad_(True)
        return wrapped

    def _width(self, hidden_size: int) -> int:
        return max(1, int(hidden_size / self.reduction_factor))

    def save(self, model: "nn.Module", folder: Path) -> None:
        """Write what is trained; peft's format has no place for the adapters."""
        from harness.storage.checkpoint import save_trainable

        save_trainable(model, folder)

    def load(self, model: "nn.Module", folder: Path) -> None:
        """Read what ``save`` wrote."""
        from harness.storage.checkpoint import load_trainable

        load_trainable(model, folder)

    def expected_params(self, base: BaseInfo) -> int | None:
        """Those of the prefix, and 2 D w + D + w in each block."""
        of_prefix, width = super().expected_params(base), self._width(base.hidden_size)
        of_adapters = base.n_blocks * (2 * base.hidden_size * width + base.hidden_size + width)
        return None if of_prefix is None else of_prefix + of_adapters

    def space(self) -> Space:
        """Both sizes."""
        return {"n_virtual_tokens": Choice((5, 10, 16, 30)), "reduction_factor": Choice((2, 4, 8, 16, 32))}
