"""LLaMA-Adapter, adaption prompts."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.errors import SpecError
from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftMethod
from harness.method import BaseInfo, Context, Family, TaskInfo

if TYPE_CHECKING:
    from peft import AdaptionPromptConfig, PeftModel
    from torch import nn


class AdaptionPrompt(PeftMethod):
    """The upper blocks of a decoder attend to trained tokens too, through a gate that is closed at first.

    Length, number of blocks and rate are those of the authors' script (https://github.com/OpenGVLab/LLaMA-Adapter).
    """

    source: ClassVar[str] = "Zhang et al. 2023, https://arxiv.org/abs/2303.16199"
    family: ClassVar[Family] = "prompt"
    learning_rate: ClassVar[float] = 9e-3

    length: int = Field(10, ge=1, description="Trained tokens of each block.")
    n_layers: int = Field(30, ge=1, description="Blocks that get them, counted from the output; all if fewer.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """peft changes attentions like Llama's, and trains nothing besides."""
        if base.kind != "decoder":
            return "peft's adaption prompts change the attention of decoders only"
        return "peft's adaption prompts train no head" if task.has_head else None

    def config(self, model: "nn.Module", context: Context) -> "AdaptionPromptConfig":
        """peft's configuration."""
        from peft import AdaptionPromptConfig

        return AdaptionPromptConfig(adapter_len=self.length, adapter_layers=min(self.n_layers, context.base.n_blocks))

    def expected_params(self, base: BaseInfo) -> int | None:
        """The tokens and a gate."""
        if base.kind != "decoder":
            return None
        return min(self.n_layers, base.n_blocks) * (self.length * base.hidden_size + 1)

    def merge(self, model: "PeftModel") -> "nn.Module":
        """Nothing to merge.

        Raises:
            SpecError: always.
        """
        raise SpecError("adaption_prompt changes no weights that could be merged; export the adapter instead")

    def space(self) -> Space:
        """Length and depth."""
        return {
            "learning_rate": Range(1e-3, 5e-2, log=True),
            "length": Choice((5, 10, 20)),
            "n_layers": Choice((10, 20, 30)),
        }
