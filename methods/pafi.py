"""PaFi, sparse fine-tuning of the smallest weights."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class PaFi(Method):
    """A fixed share of each frozen matrix is trained: the weights of the smallest magnitude, the same for every task.

    Liao et al. train 0.5 % of all weights. They choose them among all matrices; here it is the share of each linear
    layer of the blocks, so that none is left out. They tune the rate; the default is our own choice, ten times that of
    full fine-tuning.
    """

    family: ClassVar[Family] = "selective"
    source: ClassVar[str] = "Liao et al. 2023, https://arxiv.org/abs/2305.16742"
    learning_rate: ClassVar[float] = 5e-4

    density: float = Field(0.005, gt=0, le=1, description="Share of the weights of each matrix that is trained.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Single weights of a packed matrix can't be read, let alone changed."""
        if base.quantization != "none":
            return f"single {base.quantization} weights cannot be trained: pafi needs quantization none"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head and the chosen weights of the blocks' linear layers."""
        from harness.bases.anatomy import linear_names
        from harness.bases.heads import train_heads_only
        from harness.methods._sparse import train_sparsely

        train_heads_only(model, context.head_names)
        for name in linear_names(model):
            train_sparsely(model, name, self._n_trained(model.get_parameter(f"{name}.weight").numel()))
        return model

    def _n_trained(self, n_weights: int) -> int:
        return max(1, round(self.density * n_weights))

    def expected_params(self, base: BaseInfo) -> int | None:
        """The share of each matrix."""
        return base.n_blocks * sum(self._n_trained(s.inputs * s.outputs) for s in base.linears) or None

    def space(self) -> Space:
        """The share."""
        return {"density": Range(0.0005, 0.05, log=True)}

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The base with its matrices changed."""
        from harness.methods._sparse import make_dense

        return make_dense(model)
