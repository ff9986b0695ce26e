"""OSF, orthogonal subspace fine-tuning."""

from collections.abc import Sequence
from typing import Any, ClassVar

from harness.core.space import Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class OSF(PeftLayers):
    """The lower half of each weight's singular directions is trained, kept orthogonal to the upper half.

    It is meant for learning one task after another; of one task it is nearly full fine-tuning, and costs as much. The
    rate is that of peft's own comparison
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Nayak et al. 2025, https://arxiv.org/abs/2504.07097"
    family: ClassVar[Family] = "selective"
    learning_rate: ClassVar[float] = 5e-05
    config_class: ClassVar[str] = "OSFConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """None: peft keeps the upper half."""
        return {}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """Left and right directions and singular values of the lower half."""
        return sum(_half(size) * (sum(size) + 1) for size in sizes)

    def space(self) -> Space:
        """What a search varies."""
        return {"learning_rate": Range(1e-5, 1e-3, log=True)}


def _half(size: Sizes) -> int:
    return min(size) - min(size) // 2
