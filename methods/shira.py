"""SHiRA, sparse high-rank adapters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes, leave_sparse_tensors_unchecked
from harness.method import Context, Family

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn


class SHiRA(PeftLayers):
    """A few of each matrix's weights are trained, drawn at random, as many as LoRA of that rank would train.

    The rate is that of peft's own comparison (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Bhardwaj et al. 2024, https://arxiv.org/abs/2406.13175"
    family: ClassVar[Family] = "selective"
    learning_rate: ClassVar[float] = 3e-4
    config_class: ClassVar[str] = "ShiraConfig"
    seed_field: ClassVar[str | None] = "random_seed"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(32, ge=1, description="rank (in + out) weights of a layer are trained.")

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model wrapped by peft."""
        leave_sparse_tensors_unchecked()
        return super().apply(model, context)

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank."""
        return {"r": self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """As many as LoRA's."""
        return sum(self.rank * sum(size) for size in sizes)

    def space(self) -> Space:
        """The number of weights."""
        return {"learning_rate": Range(3e-5, 1e-2, log=True), "rank": Choice((4, 8, 16, 32))}
