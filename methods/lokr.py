"""LoKr, low-rank Kronecker product."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class LoKr(PeftLayers):
    """An update that is the Kronecker product of a small matrix and a larger one.

    The factor and the middle one of three rates are the defaults of the paper (section 5); the larger matrix is whole.
    """

    source: ClassVar[str] = "Yeh et al. 2023, https://arxiv.org/abs/2309.14859"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 5e-4
    config_class: ClassVar[str] = "LoKrConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("4bit",)

    factor: int = Field(8, ge=2, description="Size of the small matrix, where it divides the layer's.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """peft keeps a matrix whole if half its size is below the rank, and scales by alpha / rank even so."""
        whole = max(size for pair in sizes for size in pair)
        return {"r": whole, "alpha": whole, "decompose_factor": self.factor}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """Both matrices."""
        splits = [(self._split(inputs), self._split(outputs)) for inputs, outputs in sizes]
        return sum(a * c + b * d for (a, b), (c, d) in splits)

    def _split(self, size: int) -> tuple[int, int]:
        """Two numbers whose product is the size, as peft chooses them."""
        if size % self.factor == 0:
            return self.factor, size // self.factor
        small, large = 1, size
        for divisor in range(2, self.factor + 1):
            if small >= large:
                break
            if size % divisor == 0 and divisor + size // divisor <= small + large:
                small, large = divisor, size // divisor
        return min(small, large), max(small, large)

    def space(self) -> Space:
        """How the sizes are split."""
        return {"learning_rate": Range(5e-5, 1e-2, log=True), "factor": Choice((4, 8, 16, 32))}
