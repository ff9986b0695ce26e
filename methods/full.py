"""Full fine-tuning."""

from typing import TYPE_CHECKING, ClassVar

from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class FullFineTuning(Method):
    """Every parameter of the base is trained.

    The rate is the highest of the four that Devlin et al. (appendix A.3) try on every task: 5e-5, 4e-5, 3e-5, 2e-5.
    """

    source: ClassVar[str] = "Devlin et al. 2019, https://arxiv.org/abs/1810.04805"
    family: ClassVar[Family] = "full"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 5e-5

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Quantized weights are integers, which no gradient step can move."""
        if base.quantization != "none":
            return f"{base.quantization} weights are integers and cannot be trained: full needs quantization none"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with every parameter trained."""
        return model.requires_grad_(True)

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The model itself."""
        return model
