"""Layer-wise decay of the learning rate."""

from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training
from harness.recipes._depths import cut_by_depth


class LayerwiseDecay(Recipe):
    """Train a block at a lower rate the further it is from the output; the last one and heads at the full one."""

    version: ClassVar[int] = 2
    source: ClassVar[str] = "Sun et al. 2019, section 5.3.4, https://arxiv.org/abs/1905.05583"

    factor: float = Field(0.95, gt=0, le=1, description="Rate of a block, as a share of that of the block above it.")

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each group cut by depth: factor ^ depth times its rate."""
        cut: list[dict[str, Any]] = []
        for group in groups:
            for depth, parameters in cut_by_depth(training, group).items():
                cut.append(group | {"params": parameters, "lr": group["lr"] * self.factor**depth})
        return cut

    def space(self) -> Space:
        """Between the same rate for all and half of it from block to block."""
        return {"factor": Range(0.5, 1.0)}
