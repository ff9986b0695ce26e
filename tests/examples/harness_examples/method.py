"""Layer norms: train the gains and biases of the base's normalizations, and the head."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.method import Context, Family, Method

if TYPE_CHECKING:
    from torch import nn


class NormTuning(Method):
    """Train the normalizations' weights and the head, nothing else."""

    source: ClassVar[str] = "Zhao et al. 2023, https://arxiv.org/abs/2312.11420"
    family: ClassVar[Family] = "selective"
    learning_rate: ClassVar[float] = 1e-3

    biases: bool = Field(True, description="Whether the normalizations' biases are trained too.")

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with all frozen but its normalizations and its head."""
        for name, parameter in model.named_parameters():
            owner, _, kind = name.lower().rpartition(".")
            is_norm = "norm" in owner.rpartition(".")[2] and (self.biases or kind == "weight")
            parameter.requires_grad_(is_norm or name.startswith(context.head_names))
        return model

    def space(self) -> dict:
        """Whether biases help."""
        from harness.core.space import Choice

        return {"biases": Choice((True, False))}
