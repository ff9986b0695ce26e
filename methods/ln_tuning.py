"""LN tuning."""

from typing import TYPE_CHECKING, ClassVar

from harness.core.space import Range, Space
from harness.libraries.peft import PeftMethod
from harness.method import Context, Family

if TYPE_CHECKING:
    from peft import LNTuningConfig
    from torch import nn


class LNTuning(PeftMethod):
    """The gains and biases of all normalizations are trained.

    The rate is the one that Liu et al. 2022 (https://arxiv.org/abs/2205.05638, appendix) use for it.
    """

    source: ClassVar[str] = "Zhao et al. 2023, https://arxiv.org/abs/2312.11420"
    family: ClassVar[Family] = "selective"
    harmless: ClassVar[str | None] = "Unsupported layer type"
    learning_rate: ClassVar[float] = 3e-4

    def config(self, model: "nn.Module", context: Context) -> "LNTuningConfig":
        """peft's configuration, with every normalization outside the head."""
        from peft import LNTuningConfig

        norms = [
            name
            for name, module in model.named_modules()
            if type(module).__name__.lower().endswith("norm") and not name.startswith(context.head_names)
        ]
        return LNTuningConfig(target_modules=norms)

    def space(self) -> Space:
        """The rate alone."""
        return {"learning_rate": Range(1e-4, 3e-2, log=True)}
