"""``harness list`` and ``harness show``: what there is."""

from typing import Annotated, Literal

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results
from harness.cli.usage import one_of

Kind = Literal["methods", "tasks", "bases", "runs"]


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", **one_of("kind", Kind))],
    results: Results = RESULTS,
) -> None:
    """List the methods, tasks, bases or finished runs."""
    listings = {"methods": _methods, "tasks": _tasks, "bases": _bases}
    say_table(*(_runs(results) if kind == "runs" else listings[kind]()))


Listing = tuple[list[str], list[list[str]]]


def _methods() -> Listing:
    from harness.method import METHODS

    rows = []
    for name in METHODS.names():
        cls = METHODS.find(name)
        defaults = ", ".join(f"{field}={info.default}" for field, info in cls.model_fields.items())
        rows.append([name, (cls.__doc__ or "").splitlines()[0], defaults, cls.source])
    return ["method", "what it does", "hyperparameters", "source"], rows


def _tasks() -> Listing:

    from harness.data.tasks import find_task
    from harness.task import TASKS

    rows = []
    for name in TASKS.names():
        declared = find_task(name)
        places = [*([declared.hub.id] if declared.hub else []), *(["package asset"] if declared.asset else [])]
        rows.append([name, declared.kind, ", ".join(declared.metrics), ", ".join(places), declared.source])
    return ["task", "kind", "metrics", "data", "source"], rows


def _bases() -> Listing:
    from harness.bases.package import PACKAGE_BASES

    rows = [[name, base.summary, f"{base.distribution} {base.version}"] for name, base in PACKAGE_BASES.items()]
    rows.append(["any local folder or hub id", "configuration, tokenizer and safetensors", ""])
    return ["base", "what it is", "package asset"], rows


def _runs(results: "Results") -> Listing:
    from harness.storage.store import Store

    rows = []
    for record in Store(results).records():
        spec, value = record.spec, record.metric()
        names = [spec.method.name, spec.task.name, spec.base.name, spec.base.quantization, str(spec.seed)]
        rows.append([record.run_id, record.status, *names, f"{value:.4f}" if value is not None else ""])
    return ["run", "status", "method", "task", "base", "quantization", "seed", "test"], rows


def show(run: Annotated[str, typer.Argument(help="Run id, or its beginning.")], results: Results = RESULTS) -> None:
    """Show one run: its whole record as JSON."""
    from harness.storage.store import Store

    say(Store(results).match(run)[1].model_dump_json(by_alias=True, indent=1))
