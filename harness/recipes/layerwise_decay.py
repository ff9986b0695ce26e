"""Layer-wise decay of the learning rate."""

from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training


class LayerwiseDecay(Recipe):
    """Train a block at a lower rate the further it is from the output; the last one and heads at the full one."""

    source: ClassVar[str] = "Sun et al. 2019, section 5.3.4, https://arxiv.org/abs/1905.05583"

    factor: float = Field(0.95, gt=0, le=1, description="Rate of a block, as a share of that of the block above it.")

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each group cut by depth: factor ^ depth times its rate."""
        depths = _depths(training)
        cut: list[dict[str, Any]] = []
        for group in groups:
            by_depth: dict[int, list[Any]] = {}
            for parameter in group["params"]:
                by_depth.setdefault(depths.get(id(parameter), 0), []).append(parameter)
            for depth, parameters in sorted(by_depth.items()):
                cut.append(group | {"params": parameters, "lr": group["lr"] * self.factor**depth})
        return cut

    def space(self) -> Space:
        """Between the same rate for all and half of it from block to block."""
        return {"factor": Range(0.5, 1.0)}


def _depths(training: Training) -> dict[int, int]:
    """Blocks above a parameter, by its id: 0 in the last block, all of them for the embeddings."""
    from harness.bases.anatomy import stacks

    found: dict[int, int] = {}
    below = 0
    for _, blocks in reversed(stacks(training.model)):
        for block in reversed(blocks):
            found |= {id(parameter): below for parameter in block.parameters()}
            below += 1
    lookup = training.model.get_input_embeddings()  # type: ignore[operator]
    return found | {id(parameter): below for parameter in lookup.parameters()}
