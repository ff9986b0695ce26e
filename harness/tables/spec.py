"""What a table shows and how it is set."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.cells.choices import Checkpoint, ClassScore, Family, Split
from harness.core.spec import Section
from harness.core.toml import split_names

Spread = Literal["ci", "sd", "se", "none"]
"""What follows ±: the half-width of the 95 % interval, the standard deviation, the standard error, nothing."""

Span = Literal["column", "page", "sideways"]

ALL = "all"
"""In place of a metric's name: every one that a task has."""


def _to_names(value: Any) -> Any:
    """Comma-separated texts, one or several, as names."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(part, str) for part in given):
        return value
    return tuple(name for part in given for name in split_names(part))


def _to_mapping(value: Any) -> Any:
    """``old=new`` texts as a mapping."""
    if not isinstance(value, list | tuple):
        return value
    if wrong := [part for part in value if "=" not in str(part)]:
        raise ValueError(f"{wrong[0]!r} is not of the form old=new")
    return dict(str(part).split("=", 1) for part in value)


Names = Annotated[tuple[str, ...], BeforeValidator(_to_names)]
Texts = Annotated[dict[str, str], BeforeValidator(_to_mapping)]


class TableSpec(Section):
    """The ``[table]`` section of a suite, and the options of ``harness table``."""

    rows: Names = Field((), description="Fields that make rows, comma-separated: method, base, method.rank, …")
    columns: Names = Field((), description="Fields that make columns.")
    compare: Names = Field((), description="Fields along which cells compete; default: all but the setting's.")
    where: tuple[str, ...] = Field((), description="Keep runs with field=value; may be repeated.")
    metric: Names = Field((), description="Metrics, or `all` that a task has; default: each task's primary one.")
    split: Split = Field("test", description="Split reported.")
    checkpoint: Checkpoint = Field("chosen", description="Chosen on validation, or the last.")
    out_of_domain: bool = Field(False, description="Also the tests of related tasks that the runs answered.")
    per_class: ClassScore | None = Field(None, description="Of one task: this score of each class, untested.")
    average: bool = Field(False, description="A column with the mean over tasks; one of several metrics counts once.")
    rank: bool = Field(False, description="A column with the average rank over tasks.")
    relative_to: str | None = Field(None, description="Show differences to the row of this name.")
    costs: Names = Field(
        (), description="Quantities shown beside the metric, or probes for all of theirs, see `list probes`."
    )
    costs_per: Literal["cell", "row"] = Field("cell", description="Costs of each cell, or their means over a row.")
    family: Family = Field(
        "tasks",
        description="What Holm's correction runs over: all tasks of a base and quantization, or one comparison.",
    )
    mixed: bool = Field(False, description="Show unlike data or devices, marked and untested.")
    spread: Spread = Field("ci", description="What follows ±.")
    decimals: int | None = Field(
        None, ge=0, le=6, description="Digits after the point; default: 1 of percents, else 3 significant ones."
    )
    underline: bool = Field(False, description="Underline the second best mean.")
    dagger: bool = Field(False, description="Mark by † what is significantly worse than the best (or --relative-to).")
    rename: Texts = Field({}, description="old=new: what a name is shown as; may be repeated.")
    order: Names = Field((), description="Names of rows and columns that come first, in this order.")
    sort: Literal["name", "mean"] = Field(
        "name", description="Rows by name, or the best first: by the average, else by the first column."
    )
    caption: str | None = Field(None, description="LaTeX: the caption of a table environment around it.")
    label: str | None = Field(None, description="LaTeX: the label of the environment.")
    span: Span = Field("column", description="LaTeX: a column, both columns of the page, or a page turned sideways.")
    fit: bool = Field(False, description="LaTeX: shrink a table that is too wide.")

    @model_validator(mode="after")
    def _fitting(self) -> "TableSpec":
        if self.caption is None and (self.label is not None or self.span != "column"):
            raise ValueError("label and span belong to an environment, which needs a caption")
        if ALL in self.metric and len(self.metric) > 1:
            raise ValueError("metric is either all or a list of names")
        beside = ("metric", "out_of_domain", "average", "rank", "relative_to", "costs", "dagger", "underline")
        if self.per_class and (wrong := [name for name in beside if getattr(self, name)]):
            raise ValueError(f"per_class shows one score of each class and nothing else; leave out {', '.join(wrong)}")
        if self.per_class and self.checkpoint == "last":
            raise ValueError("per_class needs predictions, which are those of the chosen checkpoint")
        return self

    def shown(self, name: str) -> str:
        """What a name is shown as."""
        return self.rename.get(name, name)

    def place(self, name: str) -> int:
        """Where a name comes in the order; names that are not in it come last."""
        return self.order.index(name) if name in self.order else len(self.order)
