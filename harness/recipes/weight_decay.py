"""Weight decay of matrices only."""

from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training


class WeightDecay(Recipe):
    """Decay matrices, and leave biases and norms as they are; ``training.weight_decay`` decays everything."""

    source: ClassVar[str] = (
        "Devlin et al. 2019, optimization.py of https://github.com/google-research/bert, exclude_from_weight_decay"
    )

    decay: float = Field(0.01, ge=0, description="Decoupled weight decay of the matrices.")

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each group cut into its matrices and the rest."""
        cut: list[dict[str, Any]] = []
        for group in groups:
            for decay, is_matrix in ((self.decay, True), (0.0, False)):
                if parameters := [p for p in group["params"] if (p.dim() > 1) == is_matrix]:
                    cut.append(group | {"params": parameters, "weight_decay": decay})
        return cut

    def space(self) -> Space:
        """Up to ten times the default."""
        return {"decay": Range(0.001, 0.1, log=True)}
