"""Domain- and task-adaptive pretraining."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from harness.recipe import BaseInfo, Pretraining, Recipe, TaskInfo


class TAPT(Recipe):
    """Pretrain the base on the unlabelled training texts, before any method: masked tokens (encoder) or the next one.

    Done once for a base, its texts and a seed, kept in the cache folder, and the start of every method; its price is
    in each record. With ``zero_shot`` nothing is learned from labels. An encoder without a head over tokens has its
    embeddings for it. Every weight is trained, in full precision, and quantized after it.
    """

    source: ClassVar[str] = "Gururangan et al. 2020, section 4 and table 13, https://arxiv.org/abs/2004.10964"
    is_shareable: ClassVar[bool] = False  # the pretraining before it is done by one process

    epochs: int = Field(100, ge=1, description="Passes over the texts; domains of many texts need one.")
    max_steps: int | None = Field(None, ge=1, description="Optimizer steps; overrides epochs.")
    batch_size: int = Field(256, ge=1, description="Texts of a step.")
    learning_rate: float = Field(1e-4, gt=0, description="Peak rate; 6 % of the steps warm up, then linear decay.")
    mask_rate: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that an encoder is to tell.")
    domain: str = Field("", description="Task whose training texts are read instead (domain-adaptive pretraining).")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """The source pretrains encoders; decoders have their own objective."""
        return f"tapt needs an encoder or a decoder; this base is {base.kind}" if base.kind not in KINDS else None

    def tasks(self) -> Sequence[str]:
        """The domain."""
        return (self.domain,) if self.domain else ()

    def pretraining(self) -> Pretraining:
        """As the settings say."""
        return Pretraining(
            self.epochs, self.max_steps, self.batch_size, self.learning_rate, self.mask_rate, texts_of=self.domain
        )


KINDS = ("encoder", "decoder")
