"""The recipe contract: how a run is trained beside its method (augmentation, adversarial training, averaging, …)."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.info import BaseInfo, Need, TaskInfo
from harness.core.plugins import Plugin, Registry
from harness.core.space import Space
from harness.core.spec import RecipeSpec, RunSpec
from harness.task import Example

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "RECIPES",
    "BaseInfo",
    "Beside",
    "Example",
    "Losses",
    "Need",
    "Pretraining",
    "Recipe",
    "Space",
    "TaskInfo",
    "Training",
    "count_passes",
    "make_recipe",
    "passes_of",
]


@dataclass(frozen=True)
class Beside:
    """Training examples of another task, asked in the formulation of the run."""

    formulation: Any
    """The run's formulation bound to that task: its ``collate``, ``losses`` and ``n_counted``."""
    rows: Sequence[Any]
    """Encoded examples, without those whose text the run is judged on."""
    n_left_out: int
    own_outputs: int
    """Outputs of a head that the task needs for itself; 0 where the run's own head, or none, answers it."""


@dataclass
class Training:
    """One run in training, as its recipes see it: ``step`` counts from 1 and is 0 before the first."""

    model: "nn.Module"
    n_steps: int
    seed: int
    step: int = 0
    base: str = ""
    """The base's name."""
    tokenizer: "PreTrainedTokenizerBase | None" = None
    """The base's."""
    new: frozenset[str] = frozenset()
    """Names of the trained parameters that no pretraining has made: those of heads, and what the method added."""
    n_counted: Callable[[Sequence[Any]], int] = len
    """What the loss of a step is the mean of, in these rows."""
    beside: "Callable[[str, int | None], Beside] | None" = None
    """Reads another task by its name, at most so many of its training examples."""
    gather: Callable[[Any], list[Any]] = lambda value: [value]
    """What each process that trains the run has of a plain value; alone the value itself."""
    logged: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """What was put on the curve since the last validation."""

    @property
    def trained(self) -> "list[nn.Parameter]":
        """The parameters that are trained."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @property
    def pretrained(self) -> "list[nn.Parameter]":
        """Those of them that were the base's: they begin at its weights."""
        named = self.model.named_parameters()
        return [parameter for name, parameter in named if parameter.requires_grad and name not in self.new]

    def log(self, name: str, value: float) -> None:
        """Put a number on the curve, apart from the task loss: its mean over what is logged between two validations.

        Args:
            name: The recipe's own name, a slash and what it is, such as ``fgm/loss``.
            value: Of this batch or step.
        """
        self.logged[name].append(value)

    def take_logged(self) -> dict[str, float]:
        """The means of what was logged since the last call."""
        pooled: defaultdict[str, list[float]] = defaultdict(list)
        for logged in self.gather(self.logged):
            for name, values in logged.items():
                pooled[name] += values
        self.logged.clear()
        return {name: fmean(values) for name, values in pooled.items()}

    @contextmanager
    def outputs(self) -> "Iterator[list[Any]]":
        """What the model returns inside the block, one output for each forward pass; its ``logits`` have gradients."""
        found: list[Any] = []
        handle = self.model.register_forward_hook(lambda _module, _inputs, output: found.append(output))
        try:
            yield found
        finally:
            handle.remove()


Losses = Callable[[Any], "Tensor"]
"""The losses of a batch by row, float32, shape (B,), each summed over what the formulation counts in the row.

A batch has ``rows`` (each with its ``example``) and ``inputs``, the tensors that the model is called with.
"""


@dataclass(frozen=True)
class Pretraining:
    """Learning from unlabelled texts before the method begins, of every weight of the base, and how it is done.

    Encoders fill in masked tokens, decoders predict the next one. Nothing is chosen on validation.
    """

    epochs: int
    max_steps: int | None
    """Optimizer steps; overrides epochs."""
    batch_size: int
    learning_rate: float
    mask_rate: float
    """Share of the tokens that an encoder is to tell."""
    texts_of: str = ""
    """Task whose training texts are read; empty: the run's own."""


class Recipe(Plugin):
    """A way of training; the fields of a subclass are its settings with their published defaults.

    Every hook does nothing unless it is overridden. Of several recipes the first is outermost: a later one is ``inner``
    to it. State belongs in private attributes that ``begin`` sets: an instance may train again. Import torch inside the
    hooks, not in the module: recipes are listed without it.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    """What of the model it reads: a speed trick that would break it is off for the run, and the record says so."""
    is_alone: ClassVar[bool] = False
    """Whether another recipe beside it would break what it promises: the run is skipped then."""
    relabels: ClassVar[bool] = False
    """Whether changing labels is its very idea: those of others stay as they are."""
    is_shareable: ClassVar[bool] = True
    """Whether several processes may share the examples of a step: ``losses`` is called in each for its own batches, and
    all else in all, after the gradients were summed. Not where examples are compared with those of the same batch, or
    gradients are kept elsewhere than in ``.grad``."""

    @property
    def passes(self) -> float:
        """Forward and backward passes of a step with these settings, as a multiple of plain training's."""
        return 1.0

    def space(self) -> Space:
        """What a search may vary; each default lies inside its range."""
        return {}

    def bases(self) -> Sequence[str]:
        """Names of bases that it reads beside the one that is trained: their weights too decide the result."""
        return ()

    def tasks(self) -> Sequence[str]:
        """Names of tasks whose examples it reads beside the run's: they too decide the result."""
        return ()

    def pretraining(self) -> Pretraining | None:
        """What the base learns before any method sees it; what it gives is cached, and is there for every method.

        A recipe that has one is part of a run also where the method trains nothing.
        """
        return None

    def begin(self, training: Training) -> None:
        """Called once, before the first step; the model is what the method made of it."""

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The training examples of an epoch (from 1), instead of those given; the same object where none changes.

        Must be as many as there are, or the steps of the run would change, in the same order and with their labels
        (but see ``relabels``). What is judged is never passed through here.
        """
        return train

    def draw(
        self, training: Training, rows: Sequence[Any], places: Sequence[int], random: "np.random.Generator"
    ) -> Sequence[int]:
        """What the step learns from: places among the ``rows`` of the epoch, instead of those given.

        By default every example comes once in an epoch. A row has its ``example`` and its ``length`` in tokens; a
        place may come more than once, and a step may have any number of them, or none.
        """
        return places

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """What is minimized for a batch by row, shape (B,); ``inner`` computes the task's, as often as it is called.

        The curve shows what ``inner`` first gives as the task loss; log what is added.
        """
        return inner(batch)

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients of one step; ``inner`` adds those of its batches to ``.grad`` and returns the task loss."""
        return inner()

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The optimizer's parameter groups, as torch has them; each has its ``lr``."""
        return groups

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """The optimizer of the groups; ``inner`` makes the usual one."""
        return inner(groups)

    def after_step(self, training: Training) -> None:
        """Called after the optimizer's step and the method's own."""

    def state_dict(self) -> dict[str, Any]:
        """What it knows after a step that ``begin`` and the other hooks don't find again, for a checkpoint.

        Tensors, numbers and texts, in dicts and lists. ``examples`` and ``draw`` are called again for all steps before.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back, after ``begin``, with tensors on the CPU."""

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        """Held while the model is validated and its checkpoint taken: the weights to be judged stand in the model."""
        yield


RECIPES = Registry("recipe", "harness.recipes", Recipe)
"""Every recipe: a file in harness/recipes/, or an entry point."""


def count_passes(recipes: Iterable[Recipe]) -> float:
    """Passes of a step with all of these, as a multiple of plain training's: what one repeats, those inside repeat."""
    return math.prod(recipe.passes for recipe in recipes)


def passes_of(spec: RunSpec) -> float:
    """Passes of a step of a run that trains, as a multiple of plain training's.

    Raises:
        SpecError: an unknown recipe, or a setting that it does not have.
    """
    return count_passes(map(make_recipe, spec.recipes))


def make_recipe(spec: RecipeSpec) -> Recipe:
    """The recipe with its settings.

    Raises:
        SpecError: an unknown recipe, or every field that is wrong.
    """
    return RECIPES.make(spec.name, spec.settings, prefix=f"recipe.{spec.name}")
