"""Bottleneck adapters."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Space
from harness.method import BaseInfo, Context, Family, Method

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.bases.anatomy import SubLayer

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
        from harness.bases.anatomy import stacks, sub_layers

        model.requires_grad_(False)
        for name in context.head_names:
            model.get_submodule(name).requires_grad_(True)
        for block in (block for _, stack in stacks(model) for block in stack):
            attention, feed_forward = sub_layers(block)
            if self.placement == "houlsby":
                self._insert(block, "attention_adapter", attention, context)
            self._insert(block, "feed_forward_adapter", feed_forward, context)
        return model

    def _insert(self, block: "nn.Module", name: str, sub_layer: "SubLayer", context: Context) -> None:
        """Register one adapter in the block and let it change the sub-layer's output."""
        adapter = self._bottleneck(context.base.hidden_size).to(next(block.parameters()).device)
        block.add_module(name, adapter)
        residuals: list[Tensor] = []
        sub_layer.source.register_forward_pre_hook(_keep_first_input(residuals), with_kwargs=True)
        sub_layer.output.register_forward_hook(self._add(adapter, sub_layer, residuals))

    def _bottleneck(self, hidden_size: int) -> "nn.Sequential":
        """W_down, f, W_up."""
        from torch import nn

        width = self._width(hidden_size)
        up = nn.Linear(width, hidden_size)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        return nn.Sequential(nn.Linear(hidden_size, width), nn.SiLU() if self.placement == "houlsby" else nn.ReLU(), up)

    def _width(self, hidden_size: int) -> int:
        return self.width or max(1, int(hidden_size / self.reduction_factor))

    def _add(self, adapter: "nn.Module", sub_layer: "SubLayer", residuals: "list[Tensor]") -> Callable[..., Any]:
        """A hook that turns h into h + A(z); some attentions return h as the first of a tuple."""

        def hook(_module: "nn.Module", _inputs: Any, output: Any) -> Any:
            h = output[0] if isinstance(output, tuple) else output
            z = self._adapter_input(h, residuals.pop(), sub_layer.norm)
            h = h + self._scale * adapter(z.to(next(adapter.parameters()).dtype)).to(h.dtype)
            return (h, *output[1:]) if isinstance(output, tuple) else h

        return hook

    def _adapter_input(self, h: "Tensor", x: "Tensor", norm: "nn.Module | None") -> "Tensor":
        if self.placement == "houlsby":
            return h
        if self.placement == "parallel":
            return x
        return norm(h + x) if norm else h + x

    @property
    def _scale(self) -> float:
        return 4.0 if self.placement == "parallel" else 1.0

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


def _keep_first_input(kept: "list[Tensor]") -> Callable[..., None]:
    """A hook that keeps what a module is called with, for the output's hook to take."""

    def hook(_module: "nn.Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        kept[:] = [args[0] if args else next(iter(kwargs.values()))]

    return hook
