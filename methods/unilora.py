"""Uni-LoRA."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class UniLoRA(PeftLayers):
    """LoRA whose every entry is one of a few trained numbers, shared by all layers at places drawn by the seed.

    Rank, length and start are peft's. The rate is the one that peft's own comparison trains most types with
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Li et al. 2025, https://arxiv.org/abs/2506.00799"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0001
    config_class: ClassVar[str] = "UniLoraConfig"
    starts_as_base: ClassVar[bool] = False
    seed_field: ClassVar[str | None] = "proj_seed"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(4, ge=1, description="Rank of the update.")
    n_values: int = Field(256, ge=1, description="Trained numbers, of all layers together.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and length; where the numbers go is saved."""
        return {"r": self.rank, "theta_d_length": self.n_values, "save_indices": True}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """None: the layers share all."""
        return 0

    def shared_params(self, sizes: Sequence[Sizes]) -> int:
        """The numbers."""
        return self.n_values

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "rank": Choice((2, 4, 8)),
            "n_values": Choice((256, 1024, 4096, 16384)),
        }
