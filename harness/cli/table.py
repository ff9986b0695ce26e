"""``harness table``: records as a comparison, with an option for each field of a ``[table]`` section."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import say
from harness.cli.fields import keyword, option
from harness.cli.options import RESULTS, Results, path, uncollected
from harness.cli.usage import one_of
from harness.tables.spec import ALL, Format, TableSpec

if TYPE_CHECKING:
    from harness.storage.store import Store
    from harness.suites.suite import Suite
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


def _spec(suite: "Suite | None", given: Mapping[str, Any]) -> TableSpec:
    """The section's settings, or those of the command line where they are given."""
    from pydantic import ValidationError

    from harness.core.errors import SpecError
    from harness.core.spec import describe

    section = suite.table.model_dump(exclude_unset=True) if suite else {}
    try:
        return TableSpec.model_validate({**section, **given})
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, TableSpec, prefix="table"))) from None


def _make(store: "Store", spec: TableSpec, suite: "Suite | None") -> "Table":
    from harness.cells.applied import needs_of, with_metric
    from harness.cells.cells import make_layout, parse_where, select
    from harness.cells.probed import needs_of_quantities, with_quantities
    from harness.cells.scores import Measure
    from harness.cells.tuning import labelled_records
    from harness.probe import find_quantities
    from harness.storage.predictions import reader
    from harness.suites.select import select_suite
    from harness.tables.classes import make_class_table
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


_PARAMETERS = [
    inspect.Parameter(
        "suite",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[Path | None, typer.Argument(help="TOML file of a suite.", parser=path)],
    ),
    keyword("results", Results, RESULTS),
    keyword("format", Annotated[Format, typer.Option(help="Text format.", **one_of("--format", Format))], "md"),
    *(option(name, info) for name, info in TableSpec.model_fields.items()),
]
table.__signature__ = inspect.Signature(_PARAMETERS)  # type: ignore[attr-defined]
table.__annotations__ = {parameter.name: parameter.annotation for parameter in _PARAMETERS}
