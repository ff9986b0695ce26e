"""What a user says about a file of their own, and what is wrong with it before the file is read."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core import template
from harness.core.errors import SpecError, unknown
from harness.core.info import TaskKind
from harness.core.spec import describe
from harness.metric import METRICS

PLURAL = ("text", "choices", "labels", "templates", "verbalizers", "descriptions", "metrics", "stop")
"""Fields that have several values."""


class OwnTask(BaseModel):
    """What a user says about a file; columns are named as in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: TaskKind = Field("classification", description="What an answer is.")
    text: tuple[str, ...] = Field(min_length=1, max_length=2, description="Columns to read: one, or two for a pair.")
    target: str = Field(description="Column of the answer.")
    choices: tuple[str, ...] = Field((), description="multiple_choice: columns of the choices, or one with lists.")
    labels: tuple[str, ...] = Field((), description="Label names in order; default: those in the file, sorted.")
    templates: tuple[str, ...] = Field((), description="Prompts with {column} places; default: the texts.")
    verbalizers: tuple[str, ...] = Field((), description="Text of each label after a prompt; default: its name.")
    descriptions: tuple[str, ...] = Field((), description="A phrase for each label; default: its name.")
    metrics: tuple[str, ...] = Field((), description="The first is primary; default: by kind.")
    max_new_tokens: int = Field(64, ge=1, description="Longest generated answer.")
    stop: tuple[str, ...] | None = Field(
        None,
        description="generation: texts that end an answer, empty for none; default: a line break, or a blank line.",
    )
    validation: str | None = Field(None, description="File of validation examples, beside the first; default: carved.")
    transform: str | None = Field(
        None, description="module:function that makes each row of the files into another, or None to leave it out."
    )
    test: str | None = Field(None, description="File of test examples, beside the first; default: carved.")

    @property
    def fields(self) -> list[str]:
        """Columns that encoders and templates read, those of an encoder first."""
        return [*self.text, *sorted(set(self.shown) - set(self.text))]

    @property
    def shown(self) -> list[str]:
        """Columns that templates show."""
        return [column for text in self.templates for column in template.columns(text)]


def parse(settings: dict[str, Any]) -> OwnTask:
    """The fields of a task, checked one by one and against each other.

    Raises:
        SpecError: every field that is wrong, or the first pair that doesn't go together.
    """
    try:
        own = OwnTask.model_validate({field: _as_tuple(field, value) for field, value in settings.items()})
    except ValidationError as error:
        problems = describe(error, OwnTask, prefix="task")
        if any(problem["type"] == "missing" for problem in error.errors()):
            problems.append("name the columns, as in 'reviews.csv?text=review&target=verdict', or in a TOML file")
        raise SpecError("\n".join(problems)) from None
    for metric in own.metrics:
        if metric not in METRICS.names():
            raise unknown("metric", metric, METRICS.names())
    stop = own.stop if own.stop is None else tuple(filter(None, own.stop))
    own = own.model_copy(update={"labels": tuple(label.strip() for label in own.labels), "stop": stop})
    _check_templates(own)
    _check_fields(own)
    if own.labels:
        check_labels(own, own.labels)
    return own


def _as_tuple(field: str, value: Any) -> Any:
    """A single column, template or metric may be given without a list."""
    return (value,) if field in PLURAL and isinstance(value, str) else value


ONLY_OF: dict[str, tuple[TaskKind, ...]] = {
    "choices": ("multiple_choice",),
    "labels": ("classification", "token_classification"),
    "verbalizers": ("classification",),
    "descriptions": ("classification",),
    "stop": ("generation",),
}
"""Fields that mean something to some kinds of tasks only."""


def _check_fields(own: OwnTask) -> None:
    """Raise a SpecError for fields that don't go together."""
    for field, kinds in ONLY_OF.items():
        if getattr(own, field) and own.kind not in kinds:
            raise SpecError(f"task.{field} belongs to {' and '.join(kinds)}, not to {own.kind}")
    for field in PLURAL:
        twice = [value for value, number in Counter(getattr(own, field) or ()).items() if number > 1]
        if twice:
            raise SpecError(f"task.{field} has {twice[0]!r} twice")
    if own.target in (*own.text, *own.choices, *own.shown):
        raise SpecError(f"task.target {own.target!r} is also a text: the answer would be given away")
    if own.kind == "multiple_choice" and not own.choices:
        raise SpecError("task.choices: multiple_choice needs the columns of the choices, or one column with lists")
    if own.kind == "token_classification" and len(own.text) > 1:
        raise SpecError(f"task.text: token_classification reads one column; got {', '.join(own.text)}")


def _check_templates(own: OwnTask) -> None:
    for text in own.templates:
        try:
            shown = template.columns(text)
        except ValueError as error:
            raise SpecError(
                f"task.templates: {text!r} can't be read: {error}; write {{{{ or }}}} for a brace"
            ) from None
        if not any(shown):
            raise SpecError(f"task.templates: {text!r} shows no column; write {{column}} where a text goes")


def check_labels(own: OwnTask, labels: Sequence[str]) -> None:
    """Raise a SpecError for labels that can't be told apart, or texts that are not one for each label."""
    if own.kind in ("classification", "token_classification") and len(labels) < 2:
        raise SpecError(f"{own.target!r} has {len(labels)} label ({', '.join(labels)}): a classifier needs two")
    tags = [f"{place}-{tag[2:]}" for tag in labels[1::2] for place in "BI"]
    if own.kind == "token_classification" and list(labels) != ["O", *tags]:
        raise SpecError(f"task.labels of tags are O, then B-x and I-x of each type x; got {', '.join(labels)}")
    for field in ("verbalizers", "descriptions"):
        given = [text.strip() for text in getattr(own, field)]
        if given and len(given) != len(labels):
            raise SpecError(f"task.{field} needs one for each label ({', '.join(labels)}); got {len(given)}")
        if "" in given or len(set(given)) < len(given):
            raise SpecError(f"task.{field} must tell the labels apart; got {', '.join(map(repr, given))}")
