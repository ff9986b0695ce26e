"""What a spec means here: every default written out, every name turned into what it stands for. Imports no torch."""

from dataclasses import dataclass, replace
from typing import TypeVar

from harness.bases.info import base_info, registered
from harness.core.errors import SpecError
from harness.core.plugins import Plugin
from harness.core.spec import BaseSpec, PluginSpec, ProbeSpec, RunSpec, TrainingSpec
from harness.data.tasks import find_task
from harness.formulation import Formulation, make_formulation
from harness.measure.hardware import detect_precision
from harness.method import BaseInfo, Method, TaskInfo, make_method
from harness.probe import Probe, make_probe
from harness.recipe import Recipe, make_recipe
from harness.speed.switches import broken, switched_off
from harness.task import Task


@dataclass(frozen=True)
class Resolved:
    """One run before it is made; ``resolve`` makes it once, and it is passed down from there.

    ``spec`` has every default written out: hyperparameters, learning rate, precision, formulation.
    """

    spec: RunSpec
    task: Task
    method: Method
    base: BaseInfo
    formulation: Formulation
    recipes: tuple[Recipe, ...] = ()
    probes: tuple[Probe, ...] = ()
    start: str = ""
    """Folder of the base as its recipes have pretrained it; empty where none does, or it has not been done."""

    @property
    def asked(self) -> TaskInfo:
        """What a plug-in may know of what is asked."""
        return TaskInfo(
            kind=self.task.kind,
            formulation=self.formulation.name,
            n_labels=self.task.n_outputs,
            has_head=self.formulation.has_head,
            asks_likeness=self.task.asks_likeness,
            is_trained=self.method.trains,
        )

    @property
    def speed_off(self) -> tuple[str, ...]:
        """Switches of the tricks that would break what the method or a recipe needs."""
        return broken(self.spec, frozenset().union(self.method.needs, *(recipe.needs for recipe in self.recipes)))

    @property
    def in_effect(self) -> RunSpec:
        """The spec without those tricks, and with the base from which the method starts: what is computed."""
        spec = switched_off(self.spec, self.speed_off)
        return spec.model_copy(update={"base": self.starting_base}) if self.start else spec

    @property
    def starting_base(self) -> BaseSpec:
        """The base from which the method starts."""
        return self.spec.base.model_copy(update={"name": self.start}) if self.start else self.spec.base

    def seeded(self, seed: int) -> "Resolved":
        """The same run with another seed."""
        return replace(self, spec=self.spec.model_copy(update={"seed": seed}))

    def tested_on(self, fold: int) -> "Resolved":
        """The same run, tested on another fold of its cross-validation."""
        task = self.spec.task.model_copy(update={"fold": fold})
        return replace(self, spec=self.spec.model_copy(update={"task": task}))

    def skip_reason(self) -> str | None:
        """Why this cell can't run, in one sentence, or None."""
        if self.spec.training.gradient_checkpointing and self.method.uncheckpointed:
            return self.method.uncheckpointed
        if len(self.recipes) > 1 and (alone := [recipe.name for recipe in self.recipes if recipe.is_alone]):
            return f"recipe {alone[0]} must be the only one of a run"
        if self.spec.base.dtype == "bf16" and self.spec.training.precision != "bf16":
            return "base.dtype=bf16 needs training.precision=bf16: weights of 16 bits are computed with as they are"
        reasons = (plugin.skip(self.base, self.asked) for plugin in (self.formulation, self.method, *self.recipes))
        return next((reason for reason in reasons if reason), None)


def resolve(spec: RunSpec, task: Task | None = None) -> Resolved:
    """The run that a spec means.

    Two specs that mean the same run resolve to the same; resolving twice changes nothing. A method that trains nothing
    has the default training section and no recipe but those that pretrain the base, whatever was asked.

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
    asked = [(given, make_recipe(given)) for given in spec.recipes]
    chosen = [(given, recipe) for given, recipe in asked if method.trains or recipe.pretraining()]
    probes = _asked_probes(spec)
    formulation = make_formulation(spec.formulation, base, task, method.trains)
    written_out = {
        "base": spec.base.model_copy(update={"name": registered(spec.base.name)}),
        "method": _written_out(spec.method, method),
        "recipes": tuple(_written_out(given, recipe) for given, recipe in chosen),
        "probes": tuple(_written_out(ProbeSpec(name=name), probe) for name, probe in probes.items()),
        "training": _resolve_training(spec.training, method),
        "formulation": formulation.name,
    }
    recipes = tuple(recipe for _, recipe in chosen)
    return Resolved(
        spec.model_copy(update=written_out), task, method, base, formulation, recipes, tuple(probes.values())
    )


def _asked_probes(spec: RunSpec) -> dict[str, Probe]:
    """Probes by name; every run has the standard ones, so naming one without a setting of its own asks for nothing."""
    probes = {given.name: make_probe(given) for given in spec.probes}
    if len(probes) < len(spec.probes):
        raise SpecError(f"probes: each may be named once; got {', '.join(given.name for given in spec.probes)}")
    return {name: probe for name, probe in probes.items() if not (probe.is_standard and probe == type(probe)())}


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
