"""Prefix tuning."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Space
from harness.libraries.peft_prompts import KeysAndValues
from harness.method import Context, Family

if TYPE_CHECKING:
    from peft import PrefixTuningConfig
    from torch import nn


class PrefixTuning(KeysAndValues):
    """Trained keys and values of virtual tokens that every block attends to, before those of the input.

    Li & Liang train the prefix through a small network, which is dropped afterwards; Liu et al. 2021 (P-Tuning v2,
    https://arxiv.org/abs/2110.07602) train it directly on classification tasks, with rates between 5e-3 and 1e-2, and
    that is the default here. Of an encoder-decoder the decoder gets the prefix.
    """

    source: ClassVar[str] = "Li & Liang 2021, https://arxiv.org/abs/2101.00190"
    family: ClassVar[Family] = "prompt"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 1e-2

    n_virtual_tokens: int = Field(10, ge=1, description="Length of the prefix.")
    init: Literal["random", "zero"] = Field(
        "random", description="Keys and values at the start: drawn from N(0, 1), or 0, which disturbs the base less."
    )
    reparametrize: bool = Field(False, description="Train the prefix through a two-layer network.")
    network_width: int = Field(512, ge=1, description="Hidden width of that network.")

    def config(self, model: "nn.Module", context: Context) -> "PrefixTuningConfig":
        """With the network, which is not kept."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(
            num_virtual_tokens=self.n_virtual_tokens,
            init_weights="zero" if self.init == "zero" else None,
            prefix_projection=self.reparametrize,
            encoder_hidden_size=self.network_width,
        )

    def space(self) -> Space:
        """Length, start and parametrization of the prefix."""
        return {
            "n_virtual_tokens": Choice((5, 10, 20, 50)),
            "init": Choice(("random", "zero")),
            "reparametrize": Choice((False, True)),
        }
