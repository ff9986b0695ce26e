"""FRoD, full-rank fine-tuning by rotation."""

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


class FRoD(PeftLayers):
    """Frozen weights are written in a basis that layers of a kind share; a diagonal and a sparse rotation are trained.

    Sparsity and rate are those of the better run in peft's own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "https://github.com/huggingface/peft/tree/main/src/peft/tuners/frod"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 0.001
    config_class: ClassVar[str] = "FrodConfig"
    seed_field: ClassVar[str | None] = "projection_prng_key"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    sparsity: float = Field(0.02, gt=0, lt=1, description="Share of the rotation's entries that is trained.")

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model wrapped by peft."""
        leave_sparse_tensors_unchecked()
        return super().apply(model, context)

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The sparsity."""
        return {"sparse_rate": self.sparsity, "progressbar": False}

    def space(self) -> Space:
        """What a search varies."""
        return {"learning_rate": Range(1e-4, 1e-2, log=True), "sparsity": Choice((0.01, 0.02, 0.05))}
