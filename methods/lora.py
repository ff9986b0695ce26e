"""LoRA, low-rank adaptation."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftMethod, are_transposed, put_in_place_of, target_names, target_shapes
from harness.method import BaseInfo, Context, Family, TaskInfo

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import nn


class LoRA(PeftMethod):
    """A trained low-rank update beside each frozen weight: W x + (alpha / rank) B A x, with B = 0 at the start.

    rank, alpha and the learning rate are those of the authors' script for RoBERTa-base on SST-2
    (https://github.com/microsoft/LoRA). They adapt the query and value matrices; here it is every linear layer of the
    blocks, which Dettmers et al. 2023 (https://arxiv.org/abs/2305.14314, section 4) found necessary to match full
    fine-tuning.
    """

    source: ClassVar[str] = "Hu et al. 2021, https://arxiv.org/abs/2106.09685"
    family: ClassVar[Family] = "low-rank"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 5e-4

    rank: int = Field(8, ge=1, description="Rank R of the update: A is (R, in), B is (out, R).")
    alpha: float = Field(16, gt=0, description="Scale of the update; it is multiplied by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the inputs of A that is dropped in training.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names, or their endings, of the layers adapted; default: every linear layer of the blocks."
    )
    init: Literal["kaiming", "gaussian"] = Field("kaiming", description="Distribution of A at the start.")
    use_dora: bool = Field(False, description="Train magnitudes apart from directions (Liu et al. 2024, DoRA).")
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank) (Kalajdzievski 2023, rsLoRA).")

    @property
    def final_rank(self) -> int | None:
        """The budget that other low-rank methods are compared by."""
        return self.rank

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """DoRA needs the norms of the frozen weights."""
        if self.use_dora and base.quantization == "8bit":
            return "peft's DoRA can't read 8-bit weights back to take their norms: use_dora needs 4bit or none"
        return None

    def config(self, model: "nn.Module", context: Context) -> "LoraConfig":
        """peft's configuration."""
        from peft import LoraConfig

        targets = target_names(model, self.target_modules)
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=targets,
            fan_in_fan_out=are_transposed(model, targets),
            init_lora_weights=True if self.init == "kaiming" else self.init,
            use_dora=self.use_dora,
            use_rslora=self.use_rslora,
        )
        if context.fused and context.base.quantization == "none":
            from torch import nn

            from harness.methods._low_rank import LowRankLinear

            put_in_place_of(config, {nn.Linear: LowRankLinear})
        return config

    def expected_params(self, base: BaseInfo) -> int | None:
        """R (in + out) for every adapted layer; DoRA adds a magnitude for each output."""
        shapes = target_shapes(base, self.target_modules)
        sizes = [self.rank * (s.inputs + s.outputs) + self.use_dora * s.outputs for s in shapes]
        return base.n_blocks * sum(sizes) or None

    def space(self) -> Space:
        """Size, scale and regularization of the update."""
        return {
            "rank": Choice((2, 4, 8, 16, 32)),
            "alpha": Range(4, 64, log=True),
            "dropout": Range(0.0, 0.2),
        }
