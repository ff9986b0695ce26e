"""P-tuning."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft_prompts import SoftPrompt
from harness.method import BaseInfo, Context, Family

if TYPE_CHECKING:
    from peft import PeftModel, PromptEncoderConfig, PromptLearningConfig
    from torch import nn


class PTuning(SoftPrompt):
    """Embeddings of virtual tokens before those of the input, trained through a network that is dropped afterwards.

    The rate is that of the authors' few-shot scripts (https://github.com/THUDM/P-tuning), which train the base as well:
    with a frozen one it is low. The network is peft's, two hidden layers as wide as the base.
    """

    source: ClassVar[str] = "Liu et al. 2021, https://arxiv.org/abs/2103.10385"
    family: ClassVar[Family] = "prompt"
    starts_as_base: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1e-4

    n_virtual_tokens: int = Field(20, ge=1, description="Length of the prompt.")
    head_learning_rate: float = Field(1e-3, gt=0, description="Peak rate of the task's head.")

    def config(self, model: "nn.Module", context: Context) -> "PromptEncoderConfig":
        """peft's configuration."""
        from peft import PromptEncoderConfig

        return PromptEncoderConfig(
            num_virtual_tokens=self.n_virtual_tokens,
            encoder_hidden_size=context.base.hidden_size,
            num_transformer_submodules=1,
        )

    def encoder(self, config: "PromptLearningConfig", model: "PeftModel") -> "nn.Module":
        """The embeddings."""
        from peft import PromptEncoder

        return PromptEncoder(config)

    def expected_params(self, base: BaseInfo) -> int | None:
        """An embedding for each token, and three layers of the network."""
        return self.n_virtual_tokens * base.hidden_size + 3 * base.hidden_size * (base.hidden_size + 1)

    def space(self) -> Space:
        """Length, and the head's rate."""
        return {
            "learning_rate": Range(1e-4, 3e-2, log=True),
            "head_learning_rate": Range(1e-4, 1e-2, log=True),
            "n_virtual_tokens": Choice((5, 10, 20, 50)),
        }
