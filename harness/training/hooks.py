"""What a run is trained with: its method and its recipes, whose hooks act as one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn
from torch.optim import Optimizer

from harness.bases.heads import is_of_head
from harness.core.errors import HarnessError
from harness.core.seeds import derive
from harness.formulation import BoundFormulation, Row
from harness.method import Method
from harness.recipe import Losses, Recipe, Training
from harness.storage.checkpoint import trainable
from harness.task import Example
from harness.training.beside import read_beside
from harness.training.ranks import ALONE, Ranks
from harness.training.reach import Reach

Groups = list[dict[str, Any]]


@dataclass(frozen=True)
class Trainee:
    """A model that a method has made ready, how it answers, and how it is trained."""

    model: nn.Module
    method: Method
    formulation: BoundFormulation
    recipes: tuple[Recipe, ...] = ()
    added: frozenset[str] = frozenset()
    """Names of the trained parameters that the base did not have."""
    judged: frozenset[str] = frozenset()
    """What ``loose_key`` makes of the texts that the run is judged on."""
    reach: Reach | None = None
    """What sees the gradients, if anything does: kept over an interruption."""
    ranks: Ranks = ALONE
    """The processes that train it."""

    def training(self, n_steps: int) -> Training:
        """A run of so many steps, as its recipes see it."""
        base, spec = self.formulation.base, self.formulation.spec
        heads = {name for name in trainable(self.model) if is_of_head(name, base.head_names)}
        return Training(
            self.model,
            n_steps,
            spec.seed,
            base=spec.base.name,
            tokenizer=base.tokenizer,
            new=self.added | heads,
            n_counted=self.formulation.n_counted,
            beside=partial(read_beside, self.formulation, self.judged),
            gather=self.ranks.gather,
        )


@dataclass(frozen=True)
class Hooks:
    """The hooks of several recipes, the first outermost, around those of the method."""

    method: Method
    recipes: tuple[Recipe, ...]
    training: Training

    def begin(self) -> None:
        """Let each recipe set up its state."""
        for recipe in self.recipes:
            recipe.begin(self.training)

    def examples(self, train: Sequence[Example], epoch: int) -> Sequence[Example]:
        """The training examples of an epoch; ``train`` itself where no recipe changes them.

        Raises:
            HarnessError: a recipe returns more or fewer.
        """
        given = train
        for recipe in reversed(self.recipes):
            random = np.random.default_rng(derive(self.training.seed, f"recipe/{recipe.name}/{epoch}"))
            given = recipe.examples(given, epoch, random)
            if len(given) != len(train):
                raise HarnessError(f"recipe {recipe.name} made {len(given):,} of {len(train):,} training examples")
        return given

    def draw(self, rows: Sequence[Row], places: Sequence[int]) -> Sequence[int]:
        """The places of a step's rows among those of the epoch; ``places`` itself where no recipe chooses others."""
        for recipe in reversed(self.recipes):
            step = self.training.step
            random = np.random.default_rng(derive(self.training.seed, f"recipe/{recipe.name}/step {step}"))
            places = recipe.draw(self.training, rows, places, random)
        return places

    def losses(self, task: Losses) -> Losses:
        """What is minimized, from the task's own losses."""
        for recipe in reversed(self.recipes):
            task = partial(recipe.losses, self.training, inner=task)
        return task

    def backward(self, accumulate: Callable[[], float]) -> float:
        """The gradients of a step, from what adds those of its batches; the task loss."""
        for recipe in reversed(self.recipes):
            accumulate = partial(recipe.backward, self.training, accumulate)
        return accumulate()

    def optimizer(self, rate: float, usual: Callable[[Groups], Optimizer]) -> Optimizer:
        """The optimizer of what is trained; ``usual`` makes one where neither the method nor a recipe has its own."""
        groups = [{"lr": rate, **group} for group in self.method.groups(self.training.model, rate)]
        make = partial(self.method.optimizer, inner=usual)
        for recipe in reversed(self.recipes):
            groups = recipe.groups(self.training, groups)
            make = partial(recipe.optimizer, inner=make)
        return make(groups)

    def after_step(self) -> None:
        """The method's own work after the optimizer's step, then that of the recipes from the inside out."""
        self.method.after_step(self.training.model, self.training.step)
        for recipe in reversed(self.recipes):
            recipe.after_step(self.training)

    def state_dict(self) -> dict[str, Any]:
        """What the method and its recipes know beside the weights, for a checkpoint."""
        return {
            "logged": dict(self.training.logged),
            "method": self.method.state_dict(self.training.model),
            "recipes": [recipe.state_dict() for recipe in self.recipes],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back, after ``begin``."""
        self.training.logged.clear()
        self.training.logged.update(state["logged"])
        self.method.load_state_dict(self.training.model, state["method"])
        for recipe, known in zip(self.recipes, state["recipes"], strict=True):
            recipe.load_state_dict(known)

    @contextmanager
    def weights(self) -> Iterator[None]:
        """The weights to be judged stand in the model inside."""
        with ExitStack() as held:
            for recipe in reversed(self.recipes):
                held.enter_context(recipe.weights(self.training))
            yield
