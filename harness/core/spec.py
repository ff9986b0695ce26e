"""What one run is: the base, the task, the method, the training, the seed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.core.errors import SpecError, nearest
from harness.core.toml import read_value

Quantization = Literal["none", "8bit", "4bit"]


class Section(BaseModel):
    """A part of a spec: immutable, with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    version: ClassVar[int] = 1
    """Raised when the same fields begin to mean something else, or a default changes; part of run_id."""


class BaseSpec(Section):
    """The pretrained base."""

    name: str = Field("minilm", min_length=1, description="Registered base, local folder, or hub id.")
    quantization: Quantization = Field("none", description="Precision of the frozen linear layers.")
    dtype: Literal["fp32", "bf16"] = Field(
        "fp32", description="What frozen linear weights of the blocks are kept in; bf16 needs training.precision=bf16."
    )
    max_length: int = Field(256, ge=8, description="Tokens kept of each input; longer ones are truncated and counted.")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="Probability of every dropout of the base; default: those of its configuration."
    )


class TaskSpec(Section):
    """The task and how much of its data is used."""

    name: str = Field(min_length=1, description="Registered task, or a file describing one's own.")
    path: str | None = Field(None, description="Folder with train/validation/test.parquet (hub columns).")
    train_limit: int | None = Field(None, ge=2, description="Examples kept of train (stratified, seeded).")
    train_per_class: int | None = Field(None, ge=1, description="Examples kept of each class of train (seeded).")
    validation_limit: int | None = Field(None, ge=1, description="Examples kept of validation.")
    test_limit: int | None = Field(None, ge=1, description="Examples kept of test.")
    out_of_domain: bool = Field(False, description="Also answer the tests of the tasks that this task names.")
    folds: int | None = Field(
        None, ge=2, description="Cut train and validation into so many parts (seeded), each of which is once the test."
    )
    fold: int = Field(0, ge=0, description="The part that is the test, from 0.")

    @model_validator(mode="after")
    def _fits(self) -> "TaskSpec":
        if self.train_limit is not None and self.train_per_class is not None:
            raise ValueError("train_limit and train_per_class both say how much of train is kept; leave one out")
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold {self.fold} is none of {self.folds or 1}; fold counts from 0, folds says how many")
        return self

    @property
    def is_seeded(self) -> bool:
        """Whether the examples depend on the run's seed."""
        return bool(self.train_limit or self.train_per_class or self.folds)


class PluginSpec(BaseModel):
    """A plug-in by name with its settings, which its own class checks."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    name: str = Field(description="Registered name; '-' and '_' are the same.")

    @model_validator(mode="before")
    @classmethod
    def _underscores(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            return {**data, "name": data["name"].replace("-", "_")}
        return data

    @property
    def settings(self) -> dict[str, Any]:
        """Fields given, without the name."""
        return dict(self.model_extra or {})


class MethodSpec(PluginSpec):
    """The method and its hyperparameters."""


class RecipeSpec(PluginSpec):
    """A recipe and its settings."""


class ProbeSpec(PluginSpec):
    """A probe that not every run has, and its settings."""


class TrainingSpec(Section):
    """The loop; the same for every method but the learning rate, which defaults to the method's published one."""

    epochs: int = Field(3, ge=1, description="Passes over the training examples.")
    max_steps: int | None = Field(None, ge=1, description="Optimizer steps; overrides epochs.")
    batch_size: int = Field(32, ge=1, description="Examples in a batch.")
    accumulation_steps: int = Field(1, ge=1, description="Batches in an optimizer step.")
    learning_rate: float | None = Field(None, gt=0, description="Peak rate; default: the method's published value.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's decoupled decay.")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="Decay after the warm-up.")
    warmup_ratio: float = Field(0.06, ge=0, lt=1, description="Share of the steps that warm up.")
    clip_norm: float = Field(1.0, gt=0, description="Largest global gradient norm.")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="Compute type; auto: bf16 on a GPU.")
    eval_every: int | None = Field(None, ge=1, description="Steps between validations; default: each epoch's end.")
    patience: int | None = Field(None, ge=1, description="Validations without improvement before stopping early.")
    cache_trunk: bool = Field(
        True, description="Compute frozen lower blocks once per example, without dropout, and keep what they give."
    )
    gradient_checkpointing: bool = Field(False, description="Recompute activations instead of keeping them.")


class SpeedSpec(Section):
    """The same computation in less time; a trick that breaks what a method or a recipe needs is off for that run."""

    bulk_dropout: bool = Field(True, description="Draw dropout's masks in bulk on a processor, not one by one.")
    first_token: bool = Field(True, description="Compute an encoder's last block at the token that its head reads.")
    token_tree: bool = Field(True, description="Compute once what the choices of a question begin with.")
    fused_layers: bool = Field(True, description="Let a method compute its layers with kernels of its own.")


class PromptSpec(Section):
    """How a language model is asked; shared by zero_shot and every trained method."""

    template: int = Field(0, ge=0, description="Index among the task's prompt templates.")
    format: Literal["plain", "chat"] = Field("plain", description="Plain text, or the base's own chat template.")


class EvaluationSpec(Section):
    """How predictions are made."""

    batch_size: int = Field(64, ge=1, description="Examples scored together.")
    max_new_tokens: int | None = Field(None, ge=1, description="Longest generated answer; default: the task's.")
    n_beams: int = Field(1, ge=1, description="Beams of a generated answer; 1 is greedy.")


class RunSpec(Section):
    """One run: one base adapted to one task by one method with one seed."""

    base: BaseSpec = Field(default_factory=BaseSpec)
    task: TaskSpec
    method: MethodSpec
    recipes: tuple[RecipeSpec, ...] = Field(
        (), description="How it is trained beside the method; the first is outermost."
    )
    training: TrainingSpec = Field(default_factory=TrainingSpec)
    speed: SpeedSpec = Field(default_factory=SpeedSpec)
    prompt: PromptSpec = Field(default_factory=PromptSpec)
    evaluation: EvaluationSpec = Field(default_factory=EvaluationSpec)
    formulation: str | None = Field(None, description="How the base answers; default: by base and task kind.")
    probes: tuple[ProbeSpec, ...] = Field((), description="What is measured beside the standard quantities.")
    seed: int = Field(0, ge=0, description="The one number that init, data order and sampling derive from.")

    @property
    def recipe(self) -> str:
        """The names of its recipes, such as ``fgm+ema``, or ``none``."""
        return "+".join(recipe.name for recipe in self.recipes) or "none"

    def flat(self) -> dict[str, Any]:
        """Its fields by the names that ``--set`` gives them."""
        plain = self.model_dump(mode="json")
        recipes = {recipe.pop("name"): recipe for recipe in plain.pop("recipes")}
        return flatten(plain | ({"recipe": recipes} if recipes else {}))

    def updated(self, **sections: Any) -> "RunSpec":
        """A checked copy with some fields replaced; a dict replaces only the keys it names."""
        return parse_spec(merge(self.model_dump(), sections))


def asked_for(
    named: dict[str, Any], assignments: Iterable[str], recipes: Iterable[str] = (), probes: Iterable[str] = ()
) -> RunSpec:
    """The spec of a command: its own options, ``section.field=value`` assignments, and plug-ins by name.

    Raises:
        SpecError: naming every wrong field.
    """
    given = parse_overrides(assignments)
    for kind, names in (("recipe", recipes), ("probe", probes)):
        settings = given.pop(kind, {})
        if not isinstance(settings, dict):
            raise SpecError(f"--set {kind}.NAME.field=value sets up a {kind}; choose one with --{kind} {settings}")
        if added := chosen(kind, names, settings):
            given[f"{kind}s"] = added
    return parse_spec(merge(named, given))


def chosen(kind: str, names: Iterable[str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Plug-ins as a spec lists them, from the names chosen and a section ``[kind.NAME]`` for each that is set up.

    The name ``none`` chooses nothing.

    Raises:
        SpecError: ``none`` beside other names, a name chosen twice, a section of a plug-in that is not chosen, or one
            that is no table.
    """
    written = [name.replace("-", "_") for name in names]
    if "none" in written and len(written) > 1:
        raise SpecError(f"{kind} none stands alone; got {', '.join(written)}")
    written = [name for name in written if name != "none"]
    sections = {name.replace("-", "_"): values for name, values in settings.items()}
    if repeated := sorted({name for name in written if written.count(name) > 1}):
        raise SpecError(f"{kind} {repeated[0]!r} is named twice; each acts once")
    for name, values in sections.items():
        if name not in written:
            there = ", ".join(written) or "none"
            raise SpecError(f"{kind}.{name} is set, but the {kind}s chosen are: {there}{nearest(name, written)}")
        if not isinstance(values, dict):
            raise SpecError(f"{kind}.{name} must be a table of its fields; got {shown(values)}")
    return [{"name": name, **sections.get(name, {})} for name in written]


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with ``changes`` laid over it, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def parse_spec(data: dict[str, Any]) -> RunSpec:
    """A RunSpec from plain data.

    Raises:
        SpecError: naming every wrong field, its value, what is allowed and the nearest name.
    """
    try:
        return RunSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, RunSpec))) from None


def parse_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """Nested plain data from ``section.field=value`` strings; values are read as TOML, else as text."""
    result: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator or not key.strip():
            raise SpecError(f"--set needs key=value, such as training.learning_rate=1e-4; got {assignment!r}")
        _check_section(key.strip(), assignment)
        result = merge(result, nested({key.strip(): read_value(text)}))
    return result


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Sections in sections from ``section.field`` names."""
    result: dict[str, Any] = {}
    for name, value in dotted.items():
        inner = value
        for part in reversed(name.split(".")):
            inner = {part: inner}
        result = merge(result, inner)
    return result


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names to plain values; ``nested`` turns it back."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _check_section(key: str, assignment: str) -> None:
    """Raise SpecError for a field whose section is left out, with the section's name where there is one."""
    if "." in key or key in RunSpec.model_fields or key == "recipe":
        return
    sections = {name: _fields_at(RunSpec, [name]) for name in RunSpec.model_fields}
    section = next((name for name, fields in sections.items() if key in fields), "method")
    raise SpecError(f"--set needs section.field=value; got {assignment!r} (did you mean '{section}.{key}'?)")


def describe(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """One sentence per problem: field, value got, what is allowed, nearest name."""
    return [_sentence(dict(problem), model, prefix) for problem in error.errors()]


def _sentence(problem: dict[str, Any], model: type[BaseModel], prefix: str) -> str:
    location = [str(part) for part in problem["loc"]]
    name = ".".join([*([prefix] if prefix else []), *location])
    if problem["type"] == "extra_forbidden":
        fields = _fields_at(model, location[:-1])
        return f"unknown field {name!r}{nearest(location[-1], fields)}; allowed: {', '.join(fields) or 'none'}"
    if problem["type"] == "missing":
        return f"{name} is required"
    if problem["type"] == "model_type":
        fields = _fields_at(model, location)
        return f"{name} is a section with the fields {', '.join(fields)}; got {shown(problem['input'])}"
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{name}: {problem['ctx']['error']}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    if problem["type"] == "literal_error":
        allowed = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        got = problem["input"]
        return f"{name} must be one of {', '.join(allowed)}; got {shown(got)}{nearest(str(got), allowed)}"
    return f"{name}: {message}; got {shown(problem['input'])}"


def shown(value: Any) -> str:
    """A wrong value as an error shows it: the beginning where it is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        may_be = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        found = next((kind for kind in may_be if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if found is None:
            return []
        model = found
    return sorted(model.model_fields)


def digest(data: Any, length: int = 12) -> str:
    """The first hex digits of SHA-256 over canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
