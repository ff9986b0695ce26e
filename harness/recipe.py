"""The recipe contract: how a run is trained beside its method (augmentation, adversarial training, averaging, …)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.plugins import Plugin, Registry
from harness.core.space import Space
from harness.core.spec import RecipeSpec
from harness.task import Example

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn
    from torch.optim import Optimizer

Need = Literal["input_gradients", "weight_gradients_twice"]
"""What a speed trick may break; a trick that would is off for the run, and the record says so."""


@dataclass
class Training:
    """One run in training, as its recipes see it.

    ``logged`` takes numbers to be logged apart from the task loss (mean over the steps between two validations).
    """

    model: "nn.Module"
    n_steps: int
    seed: int
    step: int = 0
    logged: dict[str, float] = field(default_factory=dict)


Losses = Callable[[Any], "Tensor"]
"""The losses of a batch's examples, shape (B,), each the sum over what the formulation counts of it."""


class Recipe(Plugin):
    """A way of training; the fields of a subclass are its settings with their published defaults.

    Every hook does nothing unless it is overridden. Of several recipes the first is outermost:
    a later one is ``inner`` to it. State belongs in private attributes that
    ``begin`` sets: an instance may train again.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    passes: ClassVar[float] = 1.0
    """Forward and backward passes of a step, as a multiple of plain training's; part of the forecast."""

    def space(self) -> Space:
        """What a search may vary; each default lies inside its range."""
        return {}

    def begin(self, training: Training) -> None:
        """Called once, before the first step."""

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The training examples of an epoch (from 1); as many as there are, or the steps of the run would change."""
        return train

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The losses of a batch, shape (B,); ``inner`` computes the task's, as often as it is called."""
        return inner(batch)

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients of one step; ``inner`` adds those of its batches to ``.grad`` and returns the loss."""
        return inner()

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The optimizer's parameter groups, as torch has them."""
        return groups

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """The optimizer of the groups; ``inner`` makes the usual one."""
        return inner(groups)

    def after_step(self, training: Training) -> None:
        """Called after the optimizer's step."""

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        """Held while the model is validated and its checkpoint taken: the weights to be judged stand in the model."""
        yield


RECIPES = Registry("recipe", "harness.recipes", Recipe)
"""Every recipe: a file in harness/recipes/, or an entry point."""


def make_recipe(spec: RecipeSpec) -> Recipe:
    """The recipe with its settings.

    Raises:
        SpecError: an unknown recipe, or every field that is wrong.
    """
    return RECIPES.make(spec.name, spec.settings, prefix=f"recipe.{spec.name}")
