"""Bottleneck adapters."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Space
from harness.method import BaseInfo, Context, Family, Method

if TYPE_CHECKING:
    from torch import nn

Placement = Literal["pfeiffer", "houlsby", "parallel"]


class Adapters(Method):
    """A small trained network in each frozen block: A(z) = s (W_up f(W_down z + b_down) + b_up), W_up = 0 at first.

    Where a block computes h from its residual x and goes on with LN(h + x) (or h + x, if it normalizes first), it now
    goes on with h + A(z) for h, where z, f and s depend on the placement:

    - pfeiffer (Pfeiffer et al. 2020, https://arxiv.org/abs/2005.00247): after feed-forward, z = LN(h + x), ReLU, s = 1;
    - houlsby: after attention and after feed-forward, z = h, swish, s = 1;
    - parallel (He et al. 2021, https://arxiv.org/abs/2110.04366): beside feed-forward, z = x, ReLU, s = 4.

    These are seq_bn, double_seq_bn and par_bn of AdapterHub's library, to 1e-5. Houlsby et al. try rates from 3e-5 to
    3e-3 on each task; the default lies between. The 1e-4 of Pfeiffer et al. is for tens of thousands of steps: 200
    steps on MiniLM stay at chance.
    """

    source: ClassVar[str] = "Houlsby et al. 2019, https://arxiv.org/abs/1902.00751"
    family: ClassVar[Family] = "bottleneck"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 1e-3

    placement: Placement = Field("pfeiffer", description="Where in a block.")
    reduction_factor: float = Field(16, gt=0, description="Hidden size divided by the bottleneck's width.")
    width: int | None = Field(None, ge=1, description="Bottleneck's width; overrides reduction_factor.")

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head, with adapters in every block.

        Raises:
            Unsupported: the blocks are of a family whose sub-layers are not known.
        """
        from harness.bases.heads import train_heads_only
        from harness.methods._bottleneck import PLACEMENTS, bottleneck, insert

        train_heads_only(model, context.head_names)
        hidden, placement = context.base.hidden_size, PLACEMENTS[self.placement]
        insert(model, placement, lambda: bottleneck(hidden, self._width(hidden), placement.activation))
        return model

    def _width(self, hidden_size: int) -> int:
        return self.width or max(1, int(hidden_size / self.reduction_factor))

    def expected_params(self, base: BaseInfo) -> int | None:
        """2 D w + D + w for each adapter of width w; houlsby has two in a block."""
        if base.kind == "encoder_decoder":
            return None
        width = self._width(base.hidden_size)
        n_adapters = base.n_blocks * (2 if self.placement == "houlsby" else 1)
        return n_adapters * (2 * base.hidden_size * width + base.hidden_size + width)

    def space(self) -> Space:
        """Placement and size."""
        return {
            "placement": Choice(("pfeiffer", "houlsby", "parallel")),
            "reduction_factor": Choice((2, 4, 8, 16, 32, 64)),
        }
