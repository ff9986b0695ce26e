"""LoRA, low-rank adaptation."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.libraries.peft import PeftLayers, Sizes, put_in_place_of, target_shapes
from harness.method import BaseInfo, Context, Family, TaskInfo

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from torch import nn


_FROM_WEIGHTS = ("pissa", "olora")


class LoRA(PeftLayers):
    """A trained low-rank update beside each frozen weight: W x + (alpha / rank) B A x, with B = 0 at the start.

    rank, alpha and the learning rate are those of the authors' script for RoBERTa-base on SST-2
    (https://github.com/microsoft/LoRA). They adapt the query and value matrices; here it is every linear layer of the
    blocks, which Dettmers et al. 2023 (https://arxiv.org/abs/2305.14314, section 4) found necessary to match full
    fine-tuning.

    PiSSA (Meng et al. 2024, https://arxiv.org/abs/2404.02948) begins with the largest singular directions of each
    frozen weight, OLoRA (Büyükakyüz 2024, https://arxiv.org/abs/2406.01775) with those of its QR decomposition; their
    papers train at 2e-5 and 3e-4.

    EVA (Paischer et al. 2024, https://arxiv.org/abs/2410.07170) begins A with the directions in which training
    examples vary most at each layer; LoftQ (Li et al. 2023, https://arxiv.org/abs/2310.08659) begins with what 4 bits
    rounded away of each weight, so that its first output is nearer to the unquantized base's than the base's own.
    """

    source: ClassVar[str] = "Hu et al. 2021, https://arxiv.org/abs/2106.09685"
    family: ClassVar[Family] = "low-rank"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 5e-4
    config_class: ClassVar[str] = "LoraConfig"

    rank: int = Field(8, ge=1, description="Rank R of the update: A is (R, in), B is (out, R).")
    alpha: float = Field(16, gt=0, description="Scale of the update; it is multiplied by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the inputs of A that is dropped in training.")
    init: Literal["kaiming", "gaussian", "orthogonal", "pissa", "olora", "eva", "loftq"] = Field(
        "kaiming",
        description="A at the start, drawn, or from what its layer reads (eva); or A and B from the frozen weight, "
        "which keeps the rest, or from what 4 bits rounded away of it (loftq).",
    )
    eva_examples: int = Field(128, ge=1, description="Training examples that init eva looks at.")
    use_dora: bool = Field(False, description="Train magnitudes apart from directions (Liu et al. 2024, DoRA).")
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank) (Kalajdzievski 2023, rsLoRA).")
    b_rate_ratio: float = Field(
        1.0, gt=0, description="B's rate divided by the run's; 16 is LoRA+ (Hayou et al. 2024)."
    )
    freeze_a: bool = Field(False, description="Leave A as it was drawn (Zhang et al. 2023, LoRA-FA).")
    rank_pattern: dict[str, int] = Field({}, description="Ranks of layers by their names or endings, instead of rank.")
    alpha_pattern: dict[str, float] = Field({}, description="Alphas of layers, likewise.")
    trained_whole: tuple[str, ...] = Field(
        (), description="Modules of the base trained whole, by the ends of their names."
    )

    @property
    def final_rank(self) -> int | None:
        """The budget that other low-rank methods are compared by."""
        return self.rank

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """DoRA needs the norms of the frozen weights, PiSSA and OLoRA change them."""
        if self.init in _FROM_WEIGHTS and base.quantization != "none":
            return (
                f"init {self.init} moves a part of each frozen weight into the adapter: {base.quantization} rounds it"
            )
        if self.init == "loftq" and base.quantization != "4bit":
            return f"init loftq begins with what 4 bits round away: on {base.quantization} it has nothing to begin with"
        if self.use_dora and base.quantization == "8bit":
            return "peft's DoRA can't read 8-bit weights back to take their norms: use_dora needs 4bit or none"
        return None

    def config(self, model: "nn.Module", context: Context) -> "LoraConfig":
        """peft's configuration, with a faster layer in the place of peft's where it computes the same."""
        config = super().config(model, context)
        if context.fused and context.base.quantization == "none":
            from torch import nn

            from harness.methods._low_rank import LowRankLinear

            put_in_place_of(config, {nn.Linear: LowRankLinear})
        return config

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """Size, scale, start and variant."""
        return {
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "init_lora_weights": True if self.init in ("kaiming", "eva", "loftq") else self.init,
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora,
            "rank_pattern": dict(self.rank_pattern),
            "alpha_pattern": dict(self.alpha_pattern),
            "modules_to_save": list(self.trained_whole) or None,
        }

    def apply(self, model: Any, context: Context) -> "PeftModel":
        """The model wrapped by peft, without A's gradient where it stays as drawn."""
        adapted = super().apply(model, context)
        if self.init == "loftq":
            from harness.methods._starts import loftq

            loftq(adapted, Path(model.name_or_path))
        if self.freeze_a:
            for name, parameter in adapted.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and ".lora_A." not in name)
        return adapted

    @property
    def n_start_examples(self) -> int:
        """What EVA looks at."""
        return self.eva_examples if self.init == "eva" else 0

    def start(self, model: "nn.Module", batches: "Iterable[Any]") -> None:
        """Begin with what the layers read."""
        from harness.methods._starts import eva

        eva(model, batches, next(model.parameters()).device)

    def groups(self, model: "nn.Module", rate: float) -> list[dict[str, Any]]:
        """B at its own rate, where it has one."""
        if self.b_rate_ratio == 1:
            return super().groups(model, rate)
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        b = [parameter for name, parameter in named.items() if ".lora_B." in name]
        others = [parameter for name, parameter in named.items() if ".lora_B." not in name]
        return [{"params": group, **({"lr": rate * self.b_rate_ratio} if group is b else {})} for group in (others, b)]

    def expected_params(self, base: BaseInfo) -> int | None:
        """R (in + out) for every adapted layer, R out where A is frozen; DoRA adds a magnitude for each output."""
        if self.rank_pattern or self.trained_whole:
            return None
        shapes = target_shapes(base, self.target_modules)
        sizes = [self.rank * ((not self.freeze_a) * s.inputs + s.outputs) + self.use_dora * s.outputs for s in shapes]
        return base.n_blocks * sum(sizes) or None

    def space(self) -> Space:
        """Size, scale and regularization of the update."""
        return {
            "rank": Choice((2, 4, 8, 16, 32)),
            "alpha": Range(4, 64, log=True),
            "dropout": Range(0.0, 0.2),
            "learning_rate": Range(5e-5, 5e-3, log=True),
        }
