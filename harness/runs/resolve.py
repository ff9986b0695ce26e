"""What a spec means here: every default written out, every name turned into what it stands for. Imports no torch."""

from dataclasses import dataclass, replace
from typing import TypeVar

from harness.bases.info import base_info, registered
from harness.core.errors import SpecError
from harness.core.info import TaskKind
from harness.core.plugins import Plugin
from harness.core.spec import Formulation, PluginSpec, RunSpec, TrainingSpec
from harness.data.tasks import find_task
from harness.measure.hardware import detect_precision
from harness.method import BaseInfo, Method, TaskInfo, make_method
from harness.probe import Probe, make_probe
from harness.recipe import Recipe, make_recipe
from harness.task import Task

ANSWERS: dict[TaskKind, tuple[Formulation, ...]] = {
    "classification": ("likelihood", "head", "similarity", "mask"),
    "multiple_choice": ("likelihood", "head", "similarity"),
    "regression": ("head", "similarity"),
    "token_classification": ("generation", "token_head"),
    "generation": ("generation",),
}
"""The formulations that can answer a kind of task; a language model's default is first."""


@dataclass(frozen=True)
class Resolved:
    """One run before it is made; ``resolve`` makes it once, and it is passed down from there.

    ``spec`` has every default written out: hyperparameters, learning rate, precision, formulation.
    """

    spec: RunSpec
    task: Task
    method: Method
    base: BaseInfo
    recipes: tuple[Recipe, ...] = ()
    probes: tuple[Probe, ...] = ()

    @property
    def asked(self) -> TaskInfo:
        """What a method may know of the task."""
        assert self.spec.formulation
        return TaskInfo(self.task.kind, self.spec.formulation, self.task.n_outputs)

    def seeded(self, seed: int) -> "Resolved":
        """The same run with another seed."""
        return replace(self, spec=self.spec.model_copy(update={"seed": seed}))

    def skip_reason(self) -> str | None:
        """Why this cell can't run, in one sentence, or None."""
        formulation = self.spec.formulation
        if self.base.kind == "encoder" and formulation in ("likelihood", "generation"):
            return f"{self.spec.base.name} is an encoder: it has no language-model head for {formulation}"
        if self.method.trains and formulation == "mask":
            return "mask trains nothing: it answers with the base as it is"
        if self.method.trains and formulation == "similarity" and not self.task.asks_likeness:
            return f"similarity trains nothing but the likeness of two texts, which {self.task.name} doesn't ask for"
        if self.spec.training.gradient_checkpointing and self.method.uncheckpointed:
            return self.method.uncheckpointed
        reasons = (plugin.skip(self.base, self.asked) for plugin in (self.method, *self.recipes, *self.probes))
        return next((reason for reason in reasons if reason), None)


def resolve(spec: RunSpec, task: Task | None = None) -> Resolved:
    """The run that a spec means.

    Two specs that mean the same run resolve to the same; resolving twice changes nothing. A method that trains nothing
    has the default training section and no recipe, whatever was asked.

    Args:
        spec: The run, as far as the user said what it is.
        task: Instead of the one that the spec's name finds.

    Raises:
        SpecError: an unknown base, task or method, or a wrong hyperparameter.
        SourceError: the base's configuration is out of reach.
    """
    method = make_method(spec.method)
    base = base_info(spec.base.name, spec.base.quantization)
    task = task or find_task(spec.task.name)
    recipes = tuple(map(make_recipe, spec.recipes)) if method.trains else ()
    probes = tuple(map(make_probe, spec.probes))
    if spec.formulation and spec.formulation not in ANSWERS[task.kind]:
        allowed = ", ".join(ANSWERS[task.kind])
        raise SpecError(f"formulation of a {task.kind} task must be one of {allowed}; got {spec.formulation!r}")
    written_out = {
        "base": spec.base.model_copy(update={"name": registered(spec.base.name)}),
        "method": _written_out(spec.method, method),
        "recipes": tuple(_written_out(given, recipe) for given, recipe in zip(spec.recipes, recipes, strict=False)),
        "probes": tuple(_written_out(given, probe) for given, probe in zip(spec.probes, probes, strict=True)),
        "training": _resolve_training(spec.training, method),
        "formulation": spec.formulation or default_formulation(base, task, method.trains),
    }
    return Resolved(spec.model_copy(update=written_out), task, method, base, recipes, probes)


S = TypeVar("S", bound=PluginSpec)


def _written_out(given: S, plugin: Plugin) -> S:
    """The spec of a plug-in with all its settings."""
    return type(given).model_validate({"name": given.name, **plugin.model_dump(mode="json")})


def _resolve_training(training: TrainingSpec, method: Method) -> TrainingSpec:
    precision = detect_precision() if training.precision == "auto" else training.precision
    if not method.trains:
        return TrainingSpec(precision=precision)
    rate = training.learning_rate if training.learning_rate is not None else method.learning_rate
    return training.model_copy(update={"learning_rate": rate, "precision": precision})


def default_formulation(base: BaseInfo, task: Task, trains: bool) -> Formulation:
    """How a base answers a task unless told otherwise.

    A formulation that the base can't do (text generated by an encoder) is named all the same: the method or the run
    then skips the cell with its reason.
    """
    if base.kind != "encoder" or task.kind == "generation":
        return ANSWERS[task.kind][0]
    if task.kind == "token_classification":
        return "token_head"
    if trains or (task.kind == "regression" and len(task.text) < 2):
        return "head"
    return "mask" if base.has_mask_head and task.kind == "classification" else "similarity"
