"""What methods share that give peft's virtual tokens to a model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.errors import SpecError
from harness.libraries.peft import ADAPTER, HeadRate, PeftMethod
from harness.method import BaseInfo, Context, TaskInfo

if TYPE_CHECKING:
    from peft import PeftModel, PrefixTuningConfig, PromptLearningConfig
    from torch import nn


_WITHOUT_PAST_KEYS = ("albert", "deberta", "deberta-v2", "distilbert", "modernbert", "mpnet", "xlnet")


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


class KeysAndValues(PeftPrompts):
    """Virtual tokens that are keys and values in every block, before those of the input."""

    starts_as_base: ClassVar[bool] = False
    uncheckpointed: ClassVar[str | None] = (
        "gradient checkpointing drops the past keys and values that a prefix hands over: "
        "training.gradient_checkpointing must be false"
    )

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
        """Trained directly."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(num_virtual_tokens=self.n_virtual_tokens)

    def encoder(self, config: "PromptLearningConfig", model: "PeftModel") -> "nn.Module":
        """The keys and values."""
        from peft import PrefixEncoder

        return PrefixEncoder(config)

    def expected_params(self, base: BaseInfo) -> int | None:
        """A key and a value in every block for each virtual token."""
        key_size = next((linear.outputs for linear in base.linears if linear.role == "key"), None)
        return None if key_size is None else self.n_virtual_tokens * base.n_blocks * 2 * key_size


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
