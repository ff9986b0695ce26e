"""Adversarial training by the fast gradient method."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training

if TYPE_CHECKING:
    from torch import Tensor


class FGM(Recipe):
    """Learn every batch a second time with its embedded tokens moved to where the loss grows fastest.

    The authors normalize the embeddings to unit variance; here epsilon is in units of their standard deviation.
    """

    source: ClassVar[str] = "Miyato et al. 2017, section 3, https://arxiv.org/abs/1605.07725"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})
    passes: ClassVar[float] = 2.5  # the gradient with respect to the input passes back without those of the weights

    epsilon: float = Field(5.0, ge=0, description="Length of the step of a sequence, in standard deviations.")

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and those of the moved input, shape (B,)."""
        import torch

        lookup = training.model.get_input_embeddings()  # type: ignore[operator]
        length = self.epsilon * lookup.weight.detach().float().std()
        embedded: list[Tensor] = []

        def watch(output: "Tensor") -> "Tensor":
            output = output if output.requires_grad else output.requires_grad_()
            embedded.append(output)
            return output

        plain = _hooked(lookup, watch, lambda: inner(batch))
        gradients = torch.autograd.grad(plain.sum(), embedded, retain_graph=True, allow_unused=True)
        steps = iter([0 if gradient is None else length * _unit(gradient) for gradient in gradients])
        moved = _hooked(lookup, lambda output: (output + next(steps)).to(output.dtype), lambda: inner(batch))
        training.log("fgm/adversarial_loss", moved.mean().item())
        return plain + moved

    def space(self) -> Space:
        """How far the input is moved."""
        return {"epsilon": Range(0.5, 20.0, log=True)}


def _hooked(module: Any, change: "Callable[[Tensor], Tensor]", call: "Callable[[], Tensor]") -> "Tensor":
    """What ``call`` returns while the module's output is changed."""
    handle = module.register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        return call()
    finally:
        handle.remove()


def _unit(gradient: "Tensor") -> "Tensor":
    """The gradient of each sequence, shape (B, T, D), divided by its length; zero stays zero."""
    norms = gradient.float().flatten(1).norm(dim=1).clamp_min(1e-12)
    return gradient / norms.view(-1, 1, 1)
