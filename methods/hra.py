"""HRA, Householder reflection adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class HRA(PeftLayers):
    """Each frozen weight is multiplied by a chain of trained reflections, an orthogonal matrix.

    Rank and rate are those of the paper for DeBERTaV3-base on SST-2, without regularization (table 5).
    """

    source: ClassVar[str] = "Yuan et al. 2024, https://arxiv.org/abs/2405.17484"
    family: ClassVar[Family] = "orthogonal"
    learning_rate: ClassVar[float] = 3e-3
    config_class: ClassVar[str] = "HRAConfig"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(8, ge=2, multiple_of=2, description="Reflections; an even number, so that they start as none.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The rank."""
        return {"r": self.rank}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A vector for each reflection."""
        return sum(self.rank * inputs for inputs, _ in sizes)

    def space(self) -> Space:
        """The number of reflections."""
        return {"learning_rate": Range(3e-4, 3e-2, log=True), "rank": Choice((2, 4, 8, 16))}
