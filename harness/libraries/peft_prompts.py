"""What methods share that give peft's virtual tokens to a model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import SpecError
from harness.libraries.peft import ADAPTER, HeadRate, PeftMethod
from harness.method import BaseInfo, TaskInfo

if TYPE_CHECKING:
    from peft import PeftModel, PromptLearningConfig
    from torch import nn


class PeftPrompts(PeftMethod):
    """A method whose virtual tokens, or what they are made of, come from peft."""

    n_virtual_tokens: int

    def virtual_tokens(self) -> int:
        """Their number."""
        return self.n_virtual_tokens

    def encoder(self, config: "PromptLearningConfig", model: "PeftModel") -> "nn.Module":
        """The module that holds what ``save`` wrote: no network that the tokens were trained through is stored."""
        raise NotImplementedError

    def load(self, model: "PeftModel", folder: Path) -> None:
        """Read the tokens; a network that they were trained through was not stored, so it is taken out."""
        config: Any = replace(model.peft_config[ADAPTER], inference_mode=True)
        model.peft_config[ADAPTER] = config
        model.prompt_encoder[ADAPTER] = self.encoder(config, model).to(model.device)
        super().load(model, folder)

    def merge(self, model: "PeftModel") -> "nn.Module":
        """Nothing to merge.

        Raises:
            SpecError: always.
        """
        raise SpecError(f"{self.name} changes no weights that could be merged; export the adapter instead")


class SoftPrompt(HeadRate, PeftPrompts):
    """Virtual tokens that are embeddings before those of the input; of an encoder-decoder the encoder gets them.

    An encoder's head reads the first position, which is then a virtual token's.
    """

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Of heads, only an encoder's knows its place behind a prompt."""
        if task.has_head and base.kind == "decoder":
            return "a head can't find a decoder's last token behind virtual tokens; use formulation likelihood"
        if task.has_head and base.kind == "encoder_decoder":
            return "peft gives no virtual tokens to an encoder-decoder with a head on top"
        return None
