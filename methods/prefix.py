"""Prefix tuning."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Space
from harness.libraries.peft_prompts import PeftPrompts
from harness.method import BaseInfo, Context, Family, TaskInfo

if TYPE_CHECKING:
    from peft import PeftModel, PrefixTuningConfig, PromptLearningConfig
    from torch import nn


_WITHOUT_PAST_KEYS = ("albert", "deberta", "deberta-v2", "distilbert", "modernbert", "mpnet", "xlnet")


class PrefixTuning(PeftPrompts):
    """Trained keys and values of virtual tokens that every block attends to, before those of the input.

    Li & Liang train the prefix through a small network, which is dropped afterwards; Liu et al. 2021 (P-Tuning v2,
    https://arxiv.org/abs/2110.07602) train it directly on classification tasks, with rates between 5e-3 and 1e-2, and
    that is the default here. Of an encoder-decoder the decoder gets the prefix.
    """

    source: ClassVar[str] = "Li & Liang 2021, https://arxiv.org/abs/2101.00190"
    family: ClassVar[Family] = "prompt"
    starts_as_base: ClassVar[bool] = False
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    uncheckpointed: ClassVar[str | None] = (
        "gradient checkpointing drops the past keys and values that prefix hands over: training.gradient_checkpointing "
        "must be false"
    )
    learning_rate: ClassVar[float] = 1e-2

    n_virtual_tokens: int = Field(10, ge=1, description="Length of the prefix.")
    reparametrize: bool = Field(False, description="Train the prefix through a two-layer network.")
    network_width: int = Field(512, ge=1, description="Hidden width of that network.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Some encoders of transformers can't attend to given keys and values, nor can two stacks below a head."""
        if base.kind == "encoder_decoder" and task.has_head:
            return "peft's prefix tuning gives no keys and values to an encoder-decoder with a head on top"
        if base.architecture in _WITHOUT_PAST_KEYS:
            return (
                f"peft's prefix tuning hands over past keys and values, which transformers' {base.architecture} lacks"
            )
        return None

    def config(self, model: "nn.Module", context: Context) -> "PrefixTuningConfig":
        """peft's configuration."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(
            num_virtual_tokens=self.n_virtual_tokens,
            prefix_projection=self.reparametrize,
            encoder_hidden_size=self.network_width,
        )

    def encoder(self, config: "PromptLearningConfig", model: "PeftModel") -> "nn.Module":
        """The keys and values."""
        from peft import PrefixEncoder

        return PrefixEncoder(config)

    def expected_params(self, base: BaseInfo) -> int | None:
        """A key and a value in every block for each virtual token; the network that makes them is not kept."""
        key_size = next((linear.outputs for linear in base.linears if linear.role == "key"), None)
        return None if key_size is None else self.n_virtual_tokens * base.n_blocks * 2 * key_size

    def space(self) -> Space:
        """Length and parametrization of the prefix."""
        return {"n_virtual_tokens": Choice((5, 10, 20, 50)), "reparametrize": Choice((False, True))}
