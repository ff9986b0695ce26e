"""FourierFT."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import HeadRate, PeftLayers, Sizes
from harness.method import Family


class FourierFT(HeadRate, PeftLayers):
    """An update that is the inverse Fourier transform of a few trained coefficients, at places drawn by the seed.

    The coefficients start at random, so the first output is not the base's. Their number, the scale and the rates are
    those of the paper for RoBERTa-base on SST-2 (table 9).
    """

    source: ClassVar[str] = "Gao et al. 2024, https://arxiv.org/abs/2405.03003"
    family: ClassVar[Family] = "spectral"
    starts_as_base: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 5e-2
    config_class: ClassVar[str] = "FourierFTConfig"
    seed_field: ClassVar[str | None] = "random_loc_seed"

    head_learning_rate: float = Field(6e-3, gt=0, description="Peak rate of the task's head.")
    n_frequencies: int = Field(1000, ge=1, description="Coefficients of each layer.")
    scaling: float = Field(140, gt=0, description="Scale of the update.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Number and scale."""
        return {"n_frequency": self.n_frequencies, "scaling": self.scaling}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """The coefficients."""
        return self.n_frequencies * len(sizes)

    def space(self) -> Space:
        """Number and scale."""
        return {
            "learning_rate": Range(5e-3, 0.3, log=True),
            "head_learning_rate": Range(1e-3, 2e-2, log=True),
            "n_frequencies": Choice((100, 200, 1000, 3000)),
            "scaling": Range(25, 300, log=True),
        }
