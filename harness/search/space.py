"""What a search of one cell varies, named by the fields of the spec that it sets. Imports no optuna."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.space import Choice, Range, Space
from harness.core.spec import RunSpec
from harness.method import Method
from harness.recipe import Recipe

if TYPE_CHECKING:
    from optuna.trial import Trial

TrialParams = dict[str, Any]

LEARNING_RATE_FACTOR = 10.0
"""Of a method that says no range, the learning rate is searched from the published one divided by this to the published
one times this."""

GRID_POINTS = 5
"""Values of a range without a step in a grid: odd, so that the centre is one of them."""


def search_space(spec: RunSpec, method: Method, recipes: Sequence[Recipe] = ()) -> Space:
    """What may vary: the spaces of the method and its recipes and the learning rate, without what the spec sets.

    The names are those of ``--set``: ``method.rank``, ``recipe.NAME.field``, ``training.learning_rate``. The spaces of
    plug-ins are flat (no range depends on another choice), so the samplers may treat them jointly.
    """
    own = method.space()
    rates = own.pop("learning_rate", None)
    space: Space = {f"method.{name}": range_ for name, range_ in own.items()}
    for recipe in recipes:
        space |= {f"recipe.{recipe.name}.{field}": range_ for field, range_ in recipe.space().items()}
    if method.trains:
        space["training.learning_rate"] = rates or _around(method.learning_rate)
    given = {f"method.{name}" for name in spec.method.settings}
    given |= {f"recipe.{recipe.name}.{field}" for recipe in spec.recipes for field in recipe.settings}
    if spec.training.learning_rate is not None:
        given.add("training.learning_rate")
    return {name: range_ for name, range_ in space.items() if name not in given}


def _around(rate: float) -> Range:
    return Range(rate / LEARNING_RATE_FACTOR, rate * LEARNING_RATE_FACTOR, log=True)


def default_params(method: Method, space: Space, recipes: Sequence[Recipe] = ()) -> TrialParams:
    """The published value of everything in the space."""
    published = {f"method.{name}": value for name, value in method.model_dump().items()}
    for recipe in recipes:
        published |= {f"recipe.{recipe.name}.{field}": value for field, value in recipe.model_dump().items()}
    if method.trains:
        published["training.learning_rate"] = method.learning_rate
    return {name: published[name] for name in space}


def suggest(trial: "Trial", name: str, range_: Range | Choice) -> Any:
    """The value that the trial's sampler proposes."""
    if isinstance(range_, Choice):
        return trial.suggest_categorical(name, range_.values)
    if range_.integer:
        step = int(range_.step or 1)
        return trial.suggest_int(name, int(range_.low), int(range_.high), log=range_.log, step=step)
    return trial.suggest_float(name, range_.low, range_.high, log=range_.log, step=range_.step)


def grid(space: Space) -> dict[str, Sequence[Any]]:
    """The values of each range that a grid search visits: the choices, the lattice, or five points evenly spaced."""
    return {name: _grid_values(range_) for name, range_ in space.items()}


def _grid_values(range_: Range | Choice) -> Sequence[Any]:
    if isinstance(range_, Choice):
        return range_.values
    if range_.step:
        n_points = int((range_.high - range_.low) / range_.step + 1e-9) + 1
        points = range_.low + range_.step * np.arange(n_points)
    else:
        points = (np.geomspace if range_.log else np.linspace)(range_.low, range_.high, GRID_POINTS)
    if range_.integer:
        return [int(value) for value in np.unique(points.round())]
    # Rounding may leave the ends of the range by one unit in the last place.
    return [float(value) for value in np.clip(points, range_.low, range_.high)]
