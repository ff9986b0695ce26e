"""A suite: axes in a TOML file, expanded into the runs they mean. Imports no torch."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from harness.core.errors import HarnessError, SpecError, nearest
from harness.core.spec import (
    BaseSpec,
    EvaluationSpec,
    MethodSpec,
    ProbeSpec,
    PromptSpec,
    Quantization,
    RecipeSpec,
    RunSpec,
    Section,
    SpeedSpec,
    TaskSpec,
    TrainingSpec,
    chosen,
    describe,
    merge,
    parse_spec,
)
from harness.core.toml import read_toml
from harness.data.tasks import find_task
from harness.method import METHODS, make_method
from harness.probe import make_probe
from harness.recipe import make_recipe
from harness.runs.resolve import Resolved, resolve
from harness.search.spec import SearchSpec
from harness.tables.spec import TableSpec

Share = Annotated[float, Field(gt=0, lt=1)]

SECTIONS: dict[str, type[BaseModel]] = {
    "base": BaseSpec,
    "task": TaskSpec,
    "training": TrainingSpec,
    "speed": SpeedSpec,
    "prompt": PromptSpec,
    "evaluation": EvaluationSpec,
}
"""Parts of a spec that a suite may set for all methods, and a method may set for itself."""

AXES = {"base": ("name", "quantization"), "task": ("name", "folds", "fold")}
"""Fields that the axes fill in, so no section may."""


class RaceSpec(Section):
    """When a race looks at its verdicts."""

    looks: list[Annotated[int, Field(ge=2)]] = Field(
        [3, 5, 8, 12], min_length=1, description="Seeds after which it looks; the last look has all seeds of the suite."
    )


class Suite(Section):
    """The axes, what all runs share, and what the comparison is to show."""

    bases: list[Annotated[str, Field(min_length=1)]] = Field(
        ["minilm"], description="Registered bases, local folders or hub ids."
    )
    quantizations: list[Quantization] = Field(["none"], description="Precisions of the frozen layers.")
    tasks: list[str] = Field([], description="Registered tasks.")
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], description="Seeds; every method runs with each of them.")
    folds: int | None = Field(
        None, ge=2, description="Cross-validation: every seed runs once on each fold; default: the task's own test."
    )
    train_limits: list[Annotated[int, Field(ge=2)]] = Field([], description="Numbers of training examples, as an axis.")
    train_per_class: list[Annotated[int, Field(ge=1)]] = Field([], description="The same, so many of each class.")
    methods: dict[str, dict[str, Any]] = Field(
        {}, description="Label → `name` (default: the label), hyperparameters, and sections that override the shared."
    )
    recipes: list[str | list[str]] = Field(
        ["none"], description="How every method is trained: none, a recipe, or a list of recipes, outermost first."
    )
    recipe: dict[str, dict[str, Any]] = Field({}, description="Recipe → its settings, wherever it is used.")
    worth_claiming: dict[str, Share] = Field(
        {"default": 0.02},
        description="Smallest difference of the primary metric worth claiming: a number, or by task with a `default`.",
    )
    race: RaceSpec | None = Field(None, description="Gives a cell more seeds only while that can change the verdict.")
    search: SearchSpec | None = Field(None, description="Tunes every cell with this budget; default: no tuning.")
    probes: list[str] = Field([], description="What every run measures beside the standard quantities.")
    probe: dict[str, Any] = Field({}, description="Settings by probe: [probe.NAME].")
    table: TableSpec = Field(TableSpec(), description="How `harness table FILE` shows its results.")
    formulation: str | None = Field(None, description="How the bases answer; default: by base and task kind.")
    base: dict[str, Any] = Field({}, description="Shared fields of the base section.")
    task: dict[str, Any] = Field({}, description="Shared fields of the task section.")
    training: dict[str, Any] = Field({}, description="Shared fields of the training section.")
    speed: dict[str, Any] = Field({}, description="Shared fields of the speed section.")
    prompt: dict[str, Any] = Field({}, description="Shared fields of the prompt section.")
    evaluation: dict[str, Any] = Field({}, description="Shared fields of the evaluation section.")

    @field_validator("worth_claiming", mode="before")
    @classmethod
    def _one_for_all_tasks(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"default": value}

    @field_validator("recipe")
    @classmethod
    def _underscores(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name.replace("-", "_"): settings for name, settings in value.items()}

    @property
    def trainings(self) -> list[list[dict[str, Any]]]:
        """The recipes of each point of the axis, as a spec lists them."""
        named = [_names(point) for point in self.recipes]
        return [chosen("recipe", names, {n: s for n, s in self.recipe.items() if n in names}) for names in named]

    @property
    def amounts(self) -> list[dict[str, int]]:
        """Fields of the task section at each point of the axis of training examples."""
        points = [{"train_limit": n} for n in self.train_limits]
        return [*points, *({"train_per_class": n} for n in self.train_per_class)] or [{}]

    @property
    def shared(self) -> dict[str, Any]:
        """Sections that all methods share, as plain data."""
        return {name: getattr(self, name) for name in SECTIONS}

    def smallest_claim(self, task: str) -> float:
        """The smallest difference worth claiming on a task."""
        return self.worth_claiming.get(task) or self.worth_claiming.get("default", 0.02)


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite: the label its method has in the file, what the file asks for, and what that means.

    Recipes are part of the label, such as ``lora+fgm``.
    """

    label: str
    asked: RunSpec
    run: Resolved

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.run.spec


def read_suite(path: Path) -> Suite:
    """The checked suite of a file.

    Raises:
        SpecError: the file can't be read, or every problem in it, one a line.
    """
    data = read_toml(path)
    try:
        return parse_suite(data)
    except SpecError as error:
        raise SpecError(f"{path}:\n{error}") from None


def parse_suite(data: dict[str, Any]) -> Suite:
    """A checked suite from plain data.

    Raises:
        SpecError: every problem, one a line, with what is allowed and the nearest name.
    """
    problems: dict[str, None] = {}
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        problems |= dict.fromkeys(describe(error, Suite))
        suite = Suite.model_validate(_without(data, [problem["loc"] for problem in error.errors()]))
    problems |= dict.fromkeys(_problems(suite, data))
    if problems:
        raise SpecError("\n".join(problems))
    return suite


def expand(suite: Suite) -> list[SuiteRun]:
    """The cells, resolved, without duplicates; cells of one base follow each other, then those of one task."""
    cells: dict[str, SuiteRun] = {}
    for label, spec in _given(suite):
        run = resolve(spec)
        for seed, fold in product(suite.seeds, range(suite.folds or 1)):
            one = run.seeded(seed).tested_on(fold)
            cells.setdefault(one.spec.model_dump_json(), SuiteRun(label, spec, one))
    return list(cells.values())


def expand_studies(suite: Suite) -> list[SuiteRun]:
    """What a search tunes: a cell for all seeds; what the file sets for it (``asked``) is held fixed.

    Cells that can't run are left out.
    """
    cells = [SuiteRun(label, spec, resolve(spec)) for label, spec in _given(suite)]
    return [cell for cell in cells if cell.run.skip_reason() is None]


def _given(suite: Suite) -> Iterator[tuple[str, RunSpec]]:
    """Label and spec of every method at every point of the axes but the seeds and folds, as the file has them."""
    probes = chosen("probe", suite.probes, suite.probe)
    for base, quantization, task, label, recipes, amount in product(
        suite.bases, suite.quantizations, suite.tasks, suite.methods, suite.trainings, suite.amounts
    ):
        settings, overrides = _split(suite.methods[label])
        sections = merge(suite.shared, overrides)
        asked = {"name": task, "folds": suite.folds, **amount}
        sections = merge(sections, {"base": {"name": base, "quantization": quantization}, "task": asked})
        plugins = {"method": {"name": label, **settings}, "recipes": recipes, "probes": probes}
        spec = parse_spec({**sections, **plugins, "formulation": suite.formulation})
        yield "+".join([label, *(recipe.name for recipe in spec.recipes)]), spec


def _names(point: str | list[str]) -> list[str]:
    """The names at a point of the axis."""
    names = [point] if isinstance(point, str) else point
    return [name.replace("-", "_") for name in names]


def _split(entry: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hyperparameters (with the name, if given) and overriding sections of a method's entry."""
    settings = {key: value for key, value in entry.items() if key not in SECTIONS}
    return settings, {key: value for key, value in entry.items() if key in SECTIONS}


def _without(data: dict[str, Any], locations: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """The data with wrong top-level keys and wrong list elements taken out, so that the rest can be checked too."""
    wrong_elements = {
        location[:2]
        for location in locations
        if isinstance(data.get(str(location[0])), list) and [type(part) for part in location[1:2]] == [int]
    }
    wrong_keys = {location[0] for location in locations if location[:2] not in wrong_elements}
    return {
        key: [item for index, item in enumerate(value) if (key, index) not in wrong_elements]
        if isinstance(value, list)
        else value
        for key, value in data.items()
        if key not in wrong_keys
    }


def _problems(suite: Suite, data: dict[str, Any]) -> Iterator[str]:
    """What the axes and sections get wrong, each problem where it is written."""
    from harness.bases.info import base_info

    for axis in ("bases", "quantizations", "tasks", "methods", "recipes", "seeds"):
        if not data.get(axis, getattr(suite, axis)):
            yield f"{axis} is empty: name at least one"
    for base in suite.bases:
        yield from _raised("bases", base_info, base, "none")
    for task in suite.tasks:
        yield from _raised("tasks", find_task, task)
    yield from _section_problems(suite.shared)
    if suite.amounts != [{}]:
        set_twice = (field for field in ("train_limit", "train_per_class") if field in suite.task)
        yield from (f"task.{field} is set by the axis of training examples; remove it here" for field in set_twice)
    for label, entry in suite.methods.items():
        yield from _method_problems(label, entry)
    yield from _recipe_problems(suite)
    yield from _raised("probes", _check_probes, suite)
    yield from _claim_problems(suite)
    yield from _search_problems(suite)
    yield from _race_problems(suite)


def _raised(where: str, function: Callable[..., Any], *arguments: Any) -> Iterator[str]:
    try:
        function(*arguments)
    except HarnessError as error:
        yield from (f"{where}: {line}" for line in str(error).splitlines())


def _method_problems(label: str, entry: dict[str, Any]) -> Iterator[str]:
    settings, overrides = _split(entry)
    where = f"methods.{label}"
    known = str(settings.get("name", label)).replace("-", "_")
    fields = METHODS.find(known).model_fields if known in METHODS.names() else {}
    for key in [key for key, value in settings.items() if isinstance(value, dict) and key not in fields]:
        yield f"unknown section '{where}.{key}'{nearest(key, SECTIONS)}; allowed: {', '.join(SECTIONS)}"
        del settings[key]
    name = settings.pop("name", label)
    if isinstance(name, str):
        yield from _raised(where, make_method, MethodSpec(name=name, **settings))
    else:
        yield f"{where}.name must be the name of a method; got {name!r}"
    yield from _section_problems(overrides, f"{where}.")


def _recipe_problems(suite: Suite) -> Iterator[str]:
    used = {name for point in suite.recipes for name in _names(point)} - {"none"}
    for point in suite.recipes:
        yield from _raised("recipes", chosen, "recipe", _names(point), {})
    for name in sorted(used):
        where = f"recipe.{name}" if name in suite.recipe else "recipes"
        yield from _raised(where, make_recipe, RecipeSpec(name=name, **suite.recipe.get(name, {})))
    for name in suite.recipe.keys() - used:
        yield f"recipe.{name}: no such recipe in this suite{nearest(name, used)}; allowed: {', '.join(sorted(used))}"


def _section_problems(sections: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, values in sections.items():
        if not isinstance(values, dict):
            yield f"{prefix}{name} must be a table, such as [{prefix}{name}]; got {values!r}"
            continue
        for field in AXES.get(name, ()):
            if field in values:
                yield f"{prefix}{name}.{field} is set by the axes; remove it here"
        placeholder = {"name": "any"} if name == "task" else {}
        try:
            SECTIONS[name].model_validate({**placeholder, **values})
        except ValidationError as error:
            yield from describe(error, SECTIONS[name], prefix=prefix + name)


def _check_probes(suite: Suite) -> None:
    for probe in chosen("probe", suite.probes, suite.probe):
        make_probe(ProbeSpec(**probe))


def _claim_problems(suite: Suite) -> Iterator[str]:
    for name in suite.worth_claiming:
        if name not in (*suite.tasks, "default"):
            yield f"worth_claiming.{name}: no such task in this suite; allowed: {', '.join(suite.tasks)}, default"


def _search_problems(suite: Suite) -> Iterator[str]:
    if suite.search is None:
        return
    if suite.search.objectives != ("quality",):
        yield "search.objectives must be quality alone: with several there is no one winner to report"
    if suite.folds:
        yield "search and folds: settings tuned on one fold would have seen the test of another; leave one out"
    if shared := sorted({*suite.search.seeds} & {*suite.seeds}):
        yield f"search.seeds: {shared[0]} is among seeds; report the winner on seeds that did not choose it"


def _race_problems(suite: Suite) -> Iterator[str]:
    if suite.race is None:
        return
    if suite.folds:
        yield "race and folds: a race looks at seeds on the same test examples; leave one out"
    looks, n_seeds = suite.race.looks, len(set(suite.seeds))
    if looks != sorted(set(looks)):
        yield f"race.looks must grow; got {looks}"
    if looks[-1] != n_seeds:
        yield f"race.looks: the last look has all seeds, which are {n_seeds}; got {looks[-1]}"
    if len(suite.methods) * len(suite.recipes) < 2:
        yield "race needs two methods or more: there is nothing to separate"
