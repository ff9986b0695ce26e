"""WaveFT, wavelet fine-tuning."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class WaveFT(PeftLayers):
    """An update that is the inverse wavelet transform of a few trained coefficients, at places drawn by the seed.

    Their number and the scale are peft's, which follow the paper's on images; the rate is the one that peft's own
    comparison trains most types with (https://github.com/huggingface/peft/tree/main/method_comparison).
    """

    source: ClassVar[str] = "Bilican et al. 2025, https://arxiv.org/abs/2505.12532"
    family: ClassVar[Family] = "spectral"
    learning_rate: ClassVar[float] = 1e-4
    config_class: ClassVar[str] = "WaveFTConfig"
    seed_field: ClassVar[str | None] = "random_loc_seed"

    n_frequencies: int = Field(2592, ge=1, description="Coefficients of each layer.")
    scaling: float = Field(25, gt=0, description="Scale of the update.")

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Number and scale."""
        return {"n_frequency": self.n_frequencies, "scaling": self.scaling}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """The coefficients."""
        return self.n_frequencies * len(sizes)

    def space(self) -> Space:
        """Number and scale."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "n_frequencies": Choice((648, 1296, 2592, 5184)),
            "scaling": Range(5, 100, log=True),
        }
