"""What the formulations that ask a language model have in common."""

from collections.abc import Mapping
from typing import ClassVar

from harness.core.info import BaseInfo, BaseKind, TaskInfo
from harness.formulation import Formulation


class LanguageModelFormulation(Formulation):
    """A formulation that needs a head over the vocabulary, which decoders and encoder-decoders bring."""

    model_classes: ClassVar[Mapping[BaseKind, str]] = {
        "decoder": "AutoModelForCausalLM",
        "encoder_decoder": "AutoModelForSeq2SeqLM",
    }

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Encoders are none."""
        if base.kind == "encoder":
            return f"this base is an encoder: it has no language-model head for {self.name}"
        return super().skip(base, task)
