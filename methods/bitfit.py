"""BitFit."""

from typing import TYPE_CHECKING, ClassVar

from harness.core.errors import SpecError
from harness.core.space import Range, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class BitFit(Method):
    """The biases are trained, those of linear layers and of norms.

    Ben Zaken et al. try rates of 1e-4, 4e-4, 7e-4 and 1e-3 on each task; the default is the highest, for short runs.
    """

    family: ClassVar[Family] = "selective"
    source: ClassVar[str] = "Ben Zaken et al. 2021, https://arxiv.org/abs/2106.10199"
    learning_rate: ClassVar[float] = 1e-3

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Llama and T5, for instance, have none."""
        return None if base.has_biases else "this base has no biases to train"

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with all frozen but its biases and its head."""
        from harness.bases.heads import train_heads_only

        if context.base.quantization != "none":
            _set_biases_apart(model)
        train_heads_only(model, context.head_names)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.requires_grad_(True)
        return model

    def expected_params(self, base: BaseInfo) -> int | None:
        """One for each output of a linear layer, D for each norm: an encoder has two in a block and one below them.

        A pooler that the checkpoint trained has D more.
        """
        n_of_linears = base.n_blocks * sum(linear.outputs for linear in base.linears if linear.has_bias)
        n_norms = 2 * base.n_blocks + 1 if base.kind == "encoder" else 0
        return n_of_linears + n_norms * base.hidden_size if base.linears else None

    def space(self) -> Space:
        """The rate, around those of the paper."""
        return {"learning_rate": Range(1e-4, 1e-2, log=True)}

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The model itself.

        Raises:
            SpecError: on a quantized base, whose biases were taken out of its layers.
        """
        if getattr(model, "is_quantized", False):
            raise SpecError(
                "the biases of a quantized base are trained apart from its layers; export the adapter instead"
            )
        return model


def _set_biases_apart(model: "nn.Module") -> None:
    """Add biases after quantized layers: bitsandbytes turns its own into the compute type, in which steps are lost."""
    import bitsandbytes

    from harness.methods._outputs import change_output

    for layer in model.modules():
        if isinstance(layer, bitsandbytes.nn.Linear8bitLt | bitsandbytes.nn.Linear4bit) and layer.bias is not None:
            bias, layer.bias = layer.bias, None
            layer.register_parameter("trained_bias", bias)
            change_output(layer, lambda h, bias=bias: h + bias.to(h.dtype))
