"""VB-LoRA."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes, common_block
from harness.method import Family

if TYPE_CHECKING:
    from torch import nn


class VBLoRA(PeftLayers):
    """LoRA whose A and B are put together of vectors from a bank that all layers share, two for each part.

    The first output is nearly the base's, as the bank starts small. Bank, rank and rates are those of the paper for
    RoBERTa-base (table 7).
    """

    source: ClassVar[str] = "Li et al. 2024, https://arxiv.org/abs/2405.15179"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.01
    config_class: ClassVar[str] = "VBLoRAConfig"
    starts_as_base: ClassVar[bool] = False

    rank: int = Field(4, ge=1, description="Rank of the update.")
    n_vectors: int = Field(90, ge=3, description="Vectors in the bank.")
    vector_length: int = Field(256, ge=1, description="Their length, at most: it must divide the sizes of all layers.")
    bank_learning_rate: float = Field(
        1e-3, gt=0, description="Peak rate of the bank; the weights have that of the run."
    )

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and bank."""
        return {
            "r": self.rank,
            "num_vectors": self.n_vectors,
            "vector_length": self._length(sizes),
        }

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """Weights of the vectors for each part of A and B."""
        return sum(self.rank * self.n_vectors * sum(size) // self._length(sizes) for size in sizes)

    def _length(self, sizes: Sequence[Sizes]) -> int:
        return common_block([side for size in sizes for side in size], self.vector_length)

    def shared_params(self, sizes: Sequence[Sizes]) -> int:
        """The bank."""
        return self.n_vectors * self._length(sizes)

    def groups(self, model: "nn.Module", rate: float) -> list[dict[str, Any]]:
        """The bank at its own rate."""
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        bank = [parameter for name, parameter in named.items() if "vblora_vector_bank" in name]
        others = [parameter for name, parameter in named.items() if "vblora_vector_bank" not in name]
        return [{"params": others}, {"params": bank, "lr": self.bank_learning_rate}]

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(1e-3, 1e-1, log=True),
            "bank_learning_rate": Range(1e-4, 1e-2, log=True),
            "n_vectors": Choice((30, 90, 256)),
        }
