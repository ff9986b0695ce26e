"""What methods that train the whole base have in common."""

from typing import TYPE_CHECKING, ClassVar

from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class EveryParameter(Method):
    """A method that trains every parameter of the base."""

    family: ClassVar[Family] = "full"

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Quantized weights are integers, which no gradient step can move."""
        if base.quantization != "none":
            return (
                f"{base.quantization} weights are integers and cannot be trained: full training needs quantization none"
            )
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model with every parameter trained."""
        return model.requires_grad_(True)

    def merge(self, model: "nn.Module") -> "nn.Module":
        """The model itself."""
        return model
