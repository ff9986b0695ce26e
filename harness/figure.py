"""The figure contract: a picture of the results, with its options on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.cells.applied import needs_of, with_metric
from harness.cells.cells import (
    TUNING,
    Comparison,
    Label,
    Layout,
    check_fields,
    find_all_mixed,
    group,
    label_of,
    lookup,
    parse_where,
    select,
)
from harness.cells.choices import Split
from harness.cells.probed import needs_of_quantities, with_quantities
from harness.cells.scores import Measure
from harness.cells.tuning import labelled_records
from harness.core.plugins import Plugin, Registry
from harness.probe import Quantity
from harness.storage.predictions import Read, reader
from harness.storage.store import Store
from harness.tables.spec import Texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


COLUMN, GAP = 3.25, 0.25
"""Inches of a column, and between two, as in ICML's style; ACL's and IEEE's differ by a few percent."""


class Figure(Plugin):
    """A figure. Its docstring is the help of ``harness plot NAME``, its fields are the options of that command.

    A field has a description and, unless it is among ``arguments``, a default. It is a text, a number, a truth value
    (``False``: an option without a value), a path, a ``Literal``, a tuple of one of them (an option that may be
    repeated), or a mapping from text to text (old=new); with ``| None`` where nothing is chosen. ``--results``,
    ``--out`` and ``--width`` every figure has, one that is many ``--format`` too.
    """

    width: float | None = Field(
        None,
        gt=0,
        le=2,
        description="Columns of a two-column page that it fills, exactly: 1 is 3.25 inches, 2 is 6.75 with the gap.",
    )

    arguments: ClassVar[tuple[str, ...]] = ()
    """Fields that are given without an option's name, in this order; at most the last one is a tuple."""
    is_many: ClassVar[bool] = False
    """Whether ``draw`` gives several, by name; ``--out`` is then their folder."""

    @property
    def inches(self) -> float | None:
        """The width that was asked for; a drawing of another one is scaled to it, with its fonts as they are."""
        return None if self.width is None else COLUMN * self.width + GAP * max(0.0, self.width - 1)

    def draw(self, results: Path) -> "Drawing | Mapping[str, Drawing]":
        """What the results folder shows, drawn by matplotlib without pyplot; the harness sets style and writes files.

        The same results give the same drawing. Numbers that are not finite have no place in it: say so by a
        ``HarnessWarning``.

        Raises:
            SpecError: nothing there that it could show; says what would have to be there.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Selected:
    """The runs of a figure, grouped: comparisons, what a run's cell is called in its own, and their predictions."""

    comparisons: Sequence[Comparison]
    label: Label
    read: Read


class RunsFigure(Figure):
    """A figure of finished runs: a panel for each task, and base and quantization where they vary and don't compete."""

    apart: ClassVar[tuple[str, ...]] = ()
    """Fields of the spec whose values are comparisons of their own; the keys of comparisons begin with them."""

    where: tuple[str, ...] = Field((), description="Keep runs with field=value; may be repeated.")
    compare: str = Field(
        "", description="Fields along which cells compete, comma-separated; default: method, and what else varies."
    )
    mixed: bool = Field(False, description="Draw unlike data or devices together.")
    rename: Texts = Field({}, description="old=new: what a name is shown as; may be repeated.")

    def select(self, results: Path, measure: Measure, costs: Sequence[Quantity] = ()) -> Selected:
        """The chosen runs; where recipes vary, or a search has tuned some, these are cells of their own.

        Runs without some of the costs have them where their stored answers tell.

        Raises:
            SpecError: no such run or metric, an unknown field, or a comparison mixes unlike runs and may not.
        """
        store = Store(results)
        records = select(labelled_records(store), parse_where(self.where))
        read = reader(store, needs_of(records, measure.metric) | needs_of_quantities(costs))
        records = with_quantities(with_metric(records, measure, read), costs, read)
        asked = tuple(part.strip() for part in self.compare.split(",") if part.strip())
        optional = ("base", "quantization", "recipe", TUNING)
        varying = [axis for axis in optional if len({lookup(record, axis) for record in records}) > 1]
        competing = asked or ("method", *(axis for axis in varying if axis not in ("base", "quantization")))
        check_fields(records, competing)
        setting = tuple(axis for axis in ("base", "quantization") if axis in varying and axis not in competing)
        comparisons = group(
            records, Layout(rows=self.apart + setting + competing, columns=("task",), competing=competing)
        )
        find_all_mixed(comparisons, read, measure.split, allow=self.mixed)
        return Selected([*map(self._renamed, comparisons)], lambda run: self._shown(label_of(run, competing)), read)

    def _renamed(self, comparison: Comparison) -> Comparison:
        """The comparison with the names in its key as they are shown."""
        return replace(comparison, key=tuple(self.rename.get(str(value), value) for value in comparison.key))

    def _shown(self, label: str) -> str:
        """A label as it is shown, renamed as a whole or by its parts."""
        return self.rename.get(label) or ", ".join(self.rename.get(part, part) for part in label.split(", "))


class ScoresFigure(RunsFigure):
    """A figure of finished runs' metric on a split."""

    metric: str | None = Field(None, description="Metric; default: each task's primary one.")
    split: Split = Field("test", description="Split reported.")

    @property
    def measure(self) -> Measure:
        """The number of a run that is drawn."""
        return Measure(self.metric, self.split)


FIGURES = Registry("figure", "harness.figures", Figure)
"""Every figure: a file in harness/figures/, or an entry point."""
