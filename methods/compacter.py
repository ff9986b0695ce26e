"""Compacter."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class Compacter(Method):
    """Bottleneck adapters whose matrices are sums of Kronecker products of small matrices, one factor shared by all.

    They stand after attention and after feed-forward, with GELU between. Sizes and rate are those of the authors'
    script (https://github.com/rabeehk/compacter). Their matrices all start at random; here those that lead back to the
    hidden size start at zero, so that the first output is the base's.
    """

    family: ClassVar[Family] = "bottleneck"
    source: ClassVar[str] = "Karimi Mahabadi et al. 2021, https://arxiv.org/abs/2106.04647"
    learning_rate: ClassVar[float] = 3e-3

    n_products: int = Field(4, ge=1, description="Kronecker products that each matrix is the sum of.")
    reduction_factor: float = Field(32, gt=0, description="Hidden size divided by the bottleneck's width.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Kronecker products have the sizes of their factors multiplied."""
        if base.hidden_size % self.n_products:
            return f"the hidden size {base.hidden_size} is no multiple of n_products, {self.n_products}"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head, with two adapters in every block.

        Raises:
            Unsupported: the blocks are of a family whose sub-layers are not known.
        """
        import torch
        from torch import nn

        from harness.bases.heads import train_heads_only
        from harness.methods._bottleneck import PLACEMENTS, insert
        from harness.methods._phm import KroneckerLinear

        train_heads_only(model, context.head_names)
        hidden, width, n = context.base.hidden_size, self._width(context.base.hidden_size), self.n_products
        rule = nn.Parameter((0.01 * torch.randn(n, n, n)).to(next(model.parameters()).device))

        def adapter() -> nn.Module:
            down, up = KroneckerLinear(rule, hidden, width), KroneckerLinear(rule, width, hidden, starts_at_zero=True)
            return nn.Sequential(down, nn.GELU(approximate="tanh"), up)

        insert(model, PLACEMENTS["houlsby"], adapter)
        return model

    def _width(self, hidden_size: int) -> int:
        """The multiple of n_products that is nearest to the hidden size over the reduction factor, at least one."""
        return self.n_products * max(1, round(hidden_size / self.reduction_factor / self.n_products))

    def expected_params(self, base: BaseInfo) -> int | None:
        """n^3 for what is shared; 2 (D + w) for two matrices and D + w for their biases, twice in a block."""
        if base.kind == "encoder_decoder":
            return None
        size = base.hidden_size + self._width(base.hidden_size)
        return self.n_products**3 + 2 * base.n_blocks * 3 * size

    def space(self) -> Space:
        """The sizes of the factors."""
        return {"n_products": Choice((2, 4, 8)), "reduction_factor": Choice((8, 16, 32, 64))}
