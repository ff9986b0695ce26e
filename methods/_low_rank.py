"""Low-rank updates of frozen linear layers with fewer passes over the activations than peft's, same adapter files."""

from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn


class LowRankLinear(PeftLinear):
    """peft's LoRA layer on a plain ``nn.Linear``, computed by ``low_rank_linear``.

    Parameters, their names and their initial values are peft's; so is the computation wherever something else is asked
    for than one active, unmerged, plain adapter without dropout.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """W x + bias + scaling · B A x, shape (..., out)."""
        name = self.active_adapters[0]
        plain = len(self.active_adapters) == 1 and not (args or kwargs or self.merged or self.disable_adapters)
        dropped = self.training and not isinstance(self.lora_dropout[name], nn.Identity)
        if not plain or dropped or name in self.lora_variant or self.base_layer.weight.requires_grad:
            return super().forward(x, *args, **kwargs)
        dtype = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        weight, bias = self._frozen(dtype)
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        return low_rank_linear(x.to(dtype), weight, bias, a, b, self.scaling[name])

    def _frozen(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """The base's weight and bias in the compute type; autocast would cast them at every call."""
        weight, bias = self.base_layer.weight, self.base_layer.bias
        if weight.dtype == dtype:
            return weight, bias
        kept = self._caches.get("frozen")
        if kept is None or kept[0].dtype != dtype:
            kept = (weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype))
            self._caches["frozen"] = kept
        return kept


def low_rank_linear(x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float) -> Tensor:
    """``x W^T + bias + scaling · (x A^T) B^T`` with gradients for x, A and B.

    Args:
        x: Shape (..., in).
        weight: W, shape (out, in), frozen, of the type of ``x``; so is ``bias``, shape (out,).
        a: A, shape (R, in).
        b: B, shape (out, R).

    Source:
        Hu et al. 2021, section 4.1, equation 3, https://arxiv.org/abs/2106.09685
    """
    return _LowRankLinear.apply(x, weight, bias, a, b, scaling)


class _LowRankLinear(torch.autograd.Function):
    """The update is accumulated into the frozen product's output, and its gradient into that product's gradient.

    What has R columns is kept transposed, shape (R, N): products that give few wide rows are several times faster on a
    processor than those that give many narrow ones.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            flat = x.reshape(-1, x.shape[-1])  # (N, in)
            inner = a.to(x.dtype) @ flat.t()  # (R, N)
            out = flat @ weight.t() if bias is None else torch.addmm(bias, flat, weight.t())
            out.addmm_(inner.t(), b.to(x.dtype).t(), alpha=scaling)
        ctx.save_for_backward(flat, weight, a, b, inner)
        ctx.scaling = scaling
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight, a, b, inner = ctx.saved_tensors
        of_out = gradients[0].reshape(-1, weight.shape[0])  # (N, out)
        of_inner = (b.to(of_out.dtype).t().contiguous() @ of_out.t()).mul_(ctx.scaling)  # (R, N)
        of_a = (of_inner @ flat).to(a.dtype)
        of_b = (inner @ of_out).mul_(ctx.scaling).t().to(b.dtype)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (of_out @ weight).addmm_(of_inner.t(), a.to(of_out.dtype)).view(*gradients[0].shape[:-1], -1)
        return of_x, None, None, of_a, of_b, None
