"""BEFT, bias-efficient fine-tuning."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range, Space
from harness.libraries.peft import PeftLayers, Sizes
from harness.method import Family


class BEFT(PeftLayers):
    """A trained bias is added to the output of each value projection.

    The rate is that of BitFit (Ben Zaken et al. 2021, https://arxiv.org/abs/2106.10199), which also trains biases.
    """

    source: ClassVar[str] = "https://arxiv.org/abs/2509.15974"
    family: ClassVar[Family] = "selective"
    harmless: ClassVar[str | None] = "Detected that the base layer has no bias term"
    learning_rate: ClassVar[float] = 1e-3
    config_class: ClassVar[str] = "BeftConfig"

    target_modules: tuple[str, ...] = Field(
        ("role:value",),
        description="The layers that get a bias: names or endings, roles (role:value) or regular expressions (/…/).",
    )

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """None."""
        return {}

    def block_params(self, sizes: Sequence[Sizes]) -> int:
        """A bias for each output."""
        return sum(outputs for _, outputs in sizes)

    def space(self) -> Space:
        """The rate alone."""
        return {"learning_rate": Range(1e-4, 3e-2, log=True)}
