"""AdaLoRA, low-rank adaptation with a rank budget shared out by importance."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from harness.core.errors import SpecError
from harness.core.space import Choice, Range, Space
from harness.libraries.peft import ADAPTER, PeftMethod, are_transposed, target_names, target_shapes
from harness.method import BaseInfo, Context, Family

if TYPE_CHECKING:
    from peft import AdaLoraConfig, PeftModel
    from peft.tuners.adalora import AdaLoraLayer
    from torch import Tensor, nn

IMPORTANCES = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""Of every weight of an update, in peft's allocator: now, smoothed, and how uncertain."""


class AdaLoRA(PeftMethod):
    """Updates P diag(E) Q of all linear layers, pruned in training until a target rank is left on average.

    Each matrix starts with init_rank singular values, E = 0. Until the final phase, the triplets that matter least to
    the loss are masked, on a cubic schedule, and P and Q are pulled towards orthogonality.

    The defaults are those of the authors' script for STS-B (https://github.com/QingruZhang/AdaLoRA), with its phases of
    800 and 2,000 of 4,500 steps as shares; init_rank is 1.5 times target_rank as in section 4. Their rates for larger
    tasks, such as 8e-4 for 50,500 steps on SST-2, leave MiniLM at chance after 200 steps.
    """

    source: ClassVar[str] = "Zhang et al. 2023, https://arxiv.org/abs/2303.10512"
    family: ClassVar[Family] = "low-rank"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 2.2e-3

    init_rank: int = Field(12, ge=2, description="Rank of each update at the start.")
    target_rank: int = Field(8, ge=1, description="Average rank left at the end; below init_rank.")
    alpha: float = Field(32, gt=0, description="Scale of the update; it is multiplied by alpha / init_rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the inputs of Q that is dropped in training.")
    warmup_ratio: float = Field(0.18, ge=0, lt=1, description="Share of the steps before the first pruning.")
    final_ratio: float = Field(0.45, ge=0, lt=1, description="Share of the steps after the last pruning.")
    mask_interval: int = Field(10, ge=1, description="Steps from one pruning to the next.")
    orthogonality_weight: float = Field(0.3, ge=0, description="Weight of the penalty on P and Q.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names, or their endings, of the layers adapted; default: every linear layer of the blocks."
    )

    @property
    def final_rank(self) -> int | None:
        """The budget that other low-rank methods are compared by."""
        return self.target_rank

    @model_validator(mode="after")
    def _leaves_something_to_prune(self) -> Self:
        if self.target_rank >= self.init_rank:
            raise ValueError(f"target_rank {self.target_rank} must be below init_rank {self.init_rank}")
        if self.warmup_ratio + self.final_ratio >= 1:
            raise ValueError("warmup_ratio + final_ratio must be below 1: pruning happens between the two phases")
        return self

    def config(self, model: "nn.Module", context: Context) -> "AdaLoraConfig":
        """peft's configuration.

        Raises:
            SpecError: with a single optimizer step, which cannot both score and prune.
        """
        from peft import AdaLoraConfig

        targets = target_names(model, self.target_modules)
        warmup, final = self._phases(context.total_steps)
        return AdaLoraConfig(
            init_r=self.init_rank,
            target_r=self.target_rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            tinit=warmup,
            tfinal=final,
            deltaT=self.mask_interval,
            total_step=context.total_steps,
            orth_reg_weight=self.orthogonality_weight,
            target_modules=targets,
            fan_in_fan_out=are_transposed(model, targets),
        )

    def _phases(self, total_steps: int) -> tuple[int, int]:
        """Steps of the first and of the last phase; at least one step scores before the last pruning."""
        if total_steps < 2:
            raise SpecError(f"adalora needs two optimizer steps, to score and to prune; got {total_steps}")
        final = min(int(self.final_ratio * total_steps), total_steps - 2)
        return min(int(self.warmup_ratio * total_steps), total_steps - final - 1), final

    def after_step(self, model: "PeftModel", step: int) -> None:
        """Update the scores and prune where the schedule says so."""
        model.base_model.update_and_allocate(step)

    def state_dict(self, model: "PeftModel") -> dict[str, Any]:
        """The running importances, and the ranks allocated last."""
        allocator, config = model.base_model.rankallocator, model.peft_config[ADAPTER]
        return {name: getattr(allocator, name) for name in IMPORTANCES} | {"rank_pattern": config.rank_pattern or {}}

    def load_state_dict(self, model: "PeftModel", state: dict[str, Any]) -> None:
        """Go on with them."""
        parameters = dict(model.base_model.model.named_parameters())
        for kind in IMPORTANCES:
            found = {name: value.to(parameters[name].device) for name, value in state[kind].items()}
            setattr(model.base_model.rankallocator, kind, found)
        model.peft_config[ADAPTER].rank_pattern = state["rank_pattern"]

    def extra_loss(self, model: "PeftModel", batch: Any) -> "Tensor | None":
        """Mean over the matrices P and Q of the Frobenius norm of P^T P - I or Q Q^T - I, weighted."""
        import torch

        if self.orthogonality_weight == 0:
            return None
        norms = [
            torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)) for gram in _gram_matrices(model)
        ]
        return self.orthogonality_weight * torch.stack(norms).mean()

    def trainable_final(self, model: "PeftModel") -> int:
        """Trainable parameters without those of masked triplets: a column of P, a row of Q and their E."""
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        return trained - sum(
            int((layer.lora_E[ADAPTER] == 0).sum()) * (layer.in_features + layer.out_features + 1)
            for layer in _layers(model).values()
        )

    def save(self, model: "PeftModel", folder: Path) -> None:
        """Write the adapter with the ranks that are in use now; the schedule's own mask may be older or newer."""
        config = model.peft_config[ADAPTER]
        allocated = config.rank_pattern
        config.rank_pattern = {
            f"{name}.lora_E": (layer.lora_E[ADAPTER] != 0).flatten().tolist() for name, layer in _layers(model).items()
        }
        try:
            super().save(model, folder)
        finally:
            config.rank_pattern = allocated

    def load(self, model: "PeftModel", folder: Path) -> None:
        """Read what ``save`` wrote, shrinking each update to the rank it was saved with."""
        from peft import AdaLoraConfig

        model.peft_config[ADAPTER].rank_pattern = AdaLoraConfig.from_pretrained(folder).rank_pattern
        super().load(model, folder)

    def expected_params(self, base: BaseInfo) -> int | None:
        """target_rank (in + out + 1) for every adapted layer, as the average rank is target_rank in the end."""
        shapes = target_shapes(base, self.target_modules)
        return base.n_blocks * sum(self.target_rank * (s.inputs + s.outputs + 1) for s in shapes) or None

    def space(self) -> Space:
        """Budget, scale and regularization of the update; every target rank lies below the default init_rank."""
        return {
            "target_rank": Choice((2, 4, 8)),
            "alpha": Range(4, 128, log=True),
            "orthogonality_weight": Range(0.05, 0.5, log=True),
        }


def _layers(model: "PeftModel") -> "dict[str, AdaLoraLayer]":
    """peft's AdaLoRA layers by their names in the base."""
    from peft.tuners.adalora import AdaLoraLayer

    base = model.get_base_model()
    return {name: module for name, module in base.named_modules() if isinstance(module, AdaLoraLayer)}


def _gram_matrices(model: "PeftModel") -> "list[Tensor]":
    """Q Q^T and P^T P of every layer in fp32, each (R, R); bf16 would lose the small differences from I."""
    import torch

    grams = []
    for layer in _layers(model).values():
        q, p = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        with torch.autocast(q.device.type, enabled=False):
            grams += [q @ q.T, p.T @ p]
    return grams
