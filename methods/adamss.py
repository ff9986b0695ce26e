"""AdaMSS, adaptive multi-subspace adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.core.spec import Quantization
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class AdaMSS(PeftLayers):
    """The singular directions of each frozen weight are clustered, and each cluster gets an update of rank one.

    The settings are peft's, without its pruning. The rate is the one that peft's own comparison trains most types with
    (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Zheng et al. 2025, https://openreview.net/forum?id=8ZdWmpYxT0"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 0.0001
    config_class: ClassVar[str] = "AdamssConfig"
    seed_field: ClassVar[str | None] = "random_seed"
    unreadable: ClassVar[tuple[Quantization, ...]] = ("8bit", "4bit")

    rank: int = Field(100, ge=1, description="Singular directions that are clustered.")
    n_subspaces: int = Field(5, ge=1, description="Clusters.")
    subspace_rank: int = Field(1, ge=1, description="Rank of each cluster's update.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank and clusters."""
        return {"r": self.rank, "num_subspaces": self.n_subspaces, "subspace_rank": self.subspace_rank}

    def space(self) -> Space:
        """What a search varies."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "n_subspaces": Choice((3, 5, 10)),
            "subspace_rank": Choice((1, 2, 4)),
        }
