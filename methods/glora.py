"""GLoRA, generalized LoRA."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes, target_shapes
from harness.method import BaseInfo, Family


class GLoRA(PeftLayers):
    """Weights and biases are scaled and shifted: W + W A + B for the weight, and what W C, D and E add to the bias.

    Rank and paths are peft's; the rate is that of its own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Chavan et al. 2023, https://arxiv.org/abs/2306.07967"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0005
    config_class: ClassVar[str] = "GloraConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(8, ge=1, description="Rank of A and B.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank."""
        return {"r": self.rank}

    def expected_params(self, base: BaseInfo) -> int | None:
        """A and B; C, and a number for D and for E, where a layer has a bias."""
        shapes = target_shapes(base, self.target_modules)
        of_weights = sum(2 * self.rank * (s.inputs + s.outputs) for s in shapes)
        of_biases = sum(self.rank * (s.inputs + 1) + 2 for s in shapes if s.has_bias)
        return base.n_blocks * (of_weights + of_biases) or None

    def space(self) -> Space:
        """What a search varies."""
        return {"learning_rate": Range(1e-4, 1e-2, log=True), "rank": Choice((2, 4, 8, 16))}
