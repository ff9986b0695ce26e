"""VeRA, vector-based random matrix adaptation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class VeRA(PeftLayers):
    """LoRA with one frozen random A and B for all layers; trained are two vectors a layer that scale them: b B d A x.

    Rank and rate are those of the paper for RoBERTa-base on SST-2 (table 8).
    """

    source: ClassVar[str] = "Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454"
    family: ClassVar[Family] = "low-rank"
    learning_rate: ClassVar[float] = 4e-3
    config_class: ClassVar[str] = "VeraConfig"
    seed_field: ClassVar[str | None] = "projection_prng_key"

    rank: int = Field(1024, ge=1, description="Rank of the random matrices, the length of d.")
    initial_d: float = Field(0.1, description="Value of d at the start; b starts at zero.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the inputs of A that is dropped in training.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Rank, start and dropout."""
        return {"r": self.rank, "d_initial": self.initial_d, "vera_dropout": self.dropout}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """d and b."""
        return sum(self.rank + outputs for _, outputs in sizes)

    def space(self) -> Space:
        """Rank and start."""
        return {
            "learning_rate": Range(5e-4, 1e-1, log=True),
            "rank": Choice((64, 256, 1024)),
            "initial_d": Choice((1e-7, 0.1, 1.0)),
        }
