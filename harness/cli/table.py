"""``harness table``: records as a comparison, with an option for each field of a ``[table]`` section."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from harness.cells.choices import Format
from harness.cli.console import say
from harness.cli.fields import command_of, keyword, option
from harness.cli.options import RESULTS, Results, path, uncollected
from harness.cli.usage import one_of

if TYPE_CHECKING:
    from harness.storage.store import Store
    from harness.suites.suite import Suite
    from harness.tables.spec import TableSpec
    from harness.tables.table import Table


@uncollected()
def table(suite: Path | None = None, results: Path = RESULTS, format: Format = "md", **settings: Any) -> None:
    """Compare the finished runs: mean ± interval over seeds, bold what may be the best with 95 % confidence.

    With a suite's file, only its runs, set as its [table] section says; options come before the section.
    """
    from harness.storage.store import Store
    from harness.suites.suite import read_suite
    from harness.tables.formats import RENDERERS

    asked = read_suite(suite) if suite else None
    given = {name: value for name, value in settings.items() if value is not None}
    made = _make(Store(results), _spec(asked, given), asked)
    say(RENDERERS[format](made), end="")


def _spec(suite: "Suite | None", given: Mapping[str, Any]) -> "TableSpec":
    """The section's settings, or those of the command line where they are given."""
    from pydantic import ValidationError

    from harness.core.errors import SpecError
    from harness.core.spec import describe
    from harness.tables.spec import TableSpec

    section = suite.table.model_dump(exclude_unset=True) if suite else {}
    try:
        return TableSpec.model_validate({**section, **given})
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, TableSpec, prefix="table"))) from None


def _make(store: "Store", spec: "TableSpec", suite: "Suite | None") -> "Table":
    from harness.cells.applied import needs_of, with_metric
    from harness.cells.cells import make_layout, parse_where, select
    from harness.cells.probed import needs_of_quantities, with_quantities
    from harness.cells.scores import Measure
    from harness.cells.tuning import labelled_records
    from harness.probe import find_quantities
    from harness.storage.predictions import reader
    from harness.suites.select import select_suite
    from harness.tables.classes import make_class_table
    from harness.tables.spec import ALL
    from harness.tables.table import make_table

    records = labelled_records(store)
    records = select(select_suite(records, suite) if suite else records, parse_where(spec.where))
    layout = make_layout(records, spec.rows, spec.columns, spec.compare)
    quantities = find_quantities(spec.costs)
    metrics = () if spec.metric == (ALL,) else spec.metric
    needs = (needs_of(records, metric) for metric in metrics or (None,))
    read = reader(store, frozenset().union(*needs, needs_of_quantities(quantities)))
    for metric in metrics:
        records = with_metric(records, Measure(metric, spec.split, spec.checkpoint), read)
    records = with_quantities(records, quantities, read)
    return (make_class_table if spec.per_class else make_table)(records, layout, spec, read)


class TableCommand(TyperCommand):
    """The command, with an option for each field of a ``TableSpec``; made when asked for, as help of all needs none."""

    @cached_property
    def _whole(self) -> Any:
        from harness.tables.spec import TableSpec

        suite = Annotated[Path | None, typer.Argument(help="TOML file of a suite.", parser=path)]
        format = Annotated[Format, typer.Option(help="Text format.", **one_of("--format", Format))]
        parameters = [
            keyword("suite", suite, None),
            keyword("results", Results, RESULTS),
            keyword("format", format, "md"),
            *(option(name, info) for name, info in TableSpec.model_fields.items()),
        ]
        return command_of("table", lambda **given: table(**given), parameters)

    # What typer sets from the function, which doesn't name the options, is not kept.
    params = property(lambda self: self._whole.params, lambda self, value: None)
    callback = property(lambda self: self._whole.callback, lambda self, value: None)
