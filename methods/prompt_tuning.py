"""Prompt tuning."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft_prompts import SoftPrompt
from harness.method import BaseInfo, Context, Family

if TYPE_CHECKING:
    from peft import PeftModel, PromptLearningConfig, PromptTuningConfig
    from torch import nn


class PromptTuning(SoftPrompt):
    """Trained embeddings of virtual tokens before those of the input; they start as tokens drawn from the vocabulary.

    Start and rate are those of the paper, which finds little gain beyond 20 tokens (section 3.2) and trains no head.
    """

    source: ClassVar[str] = "Lester et al. 2021, https://arxiv.org/abs/2104.08691"
    family: ClassVar[Family] = "prompt"
    starts_as_base: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.3

    n_virtual_tokens: int = Field(20, ge=1, description="Length of the prompt.")
    head_learning_rate: float = Field(1e-3, gt=0, description="Peak rate of the task's head.")

    def config(self, model: "nn.Module", context: Context) -> "PromptTuningConfig":
        """peft's configuration; of an encoder-decoder the encoder gets the prompt, as in the paper."""
        from peft import PromptTuningConfig, PromptTuningInit

        return PromptTuningConfig(
            num_virtual_tokens=self.n_virtual_tokens,
            prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
            num_transformer_submodules=1,
        )

    def encoder(self, config: "PromptLearningConfig", model: "PeftModel") -> "nn.Module":
        """The embeddings."""
        from peft import PromptEmbedding

        return PromptEmbedding(config, model.word_embeddings)

    def expected_params(self, base: BaseInfo) -> int | None:
        """An embedding for each token."""
        return self.n_virtual_tokens * base.hidden_size

    def space(self) -> Space:
        """Length, and the head's rate."""
        return {
            "learning_rate": Range(1e-3, 0.5, log=True),
            "head_learning_rate": Range(1e-4, 1e-2, log=True),
            "n_virtual_tokens": Choice((5, 10, 20, 50)),
        }
