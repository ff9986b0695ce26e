"""``harness list`` and ``harness show``: what there is."""

from importlib import import_module
from typing import Annotated, Any, Literal

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results
from harness.cli.usage import one_of
from harness.core.errors import SpecError

Kind = Literal[
    "methods", "recipes", "tasks", "bases", "formulations", "metrics", "probes", "figures", "executors", "runs"
]

REGISTRIES = {
    "methods": "harness.method:METHODS",
    "recipes": "harness.recipe:RECIPES",
    "formulations": "harness.formulation:FORMULATIONS",
    "metrics": "harness.metric:METRICS",
    "figures": "harness.figure:FIGURES",
    "executors": "harness.executor:EXECUTORS",
}
"""Kinds that are listed alike; imported when they are asked for."""


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", **one_of("kind", Kind))],
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Of methods: try each on small models, in every precision; kept by versions."),
    ] = False,
    base: Annotated[str | None, typer.Option(help="With --probe: a model like this base, instead of three.")] = None,
    results: Results = RESULTS,
) -> None:
    """List what is registered under a kind, the bases, or the finished runs."""
    if probe or base:
        _show_capability(kind, base)
        return
    if kind in REGISTRIES:
        say_table(*_plugins(REGISTRIES[kind]))
    else:
        listings = {"tasks": _tasks, "bases": _bases, "probes": _probes}
        say_table(*(_runs(results) if kind == "runs" else listings[kind]()))


def _show_capability(kind: Kind, base: str | None) -> None:
    from harness.cli.capability import show_capability

    if kind != "methods":
        raise SpecError(f"--probe and --base try methods: list methods --probe; got {kind}")
    show_capability(base)


Listing = tuple[list[str], list[list[str]]]


def _plugins(place: str) -> Listing:
    """The plug-ins of the registry at ``module:name``."""
    module, _, name = place.partition(":")
    registry = getattr(import_module(module), name)
    rows = []
    for name in registry.names():
        plugin = registry.find(name)
        rows.append([name, (plugin.__doc__ or "").splitlines()[0], _settings(plugin), plugin.source])
    return [registry.what, "what it does", "settings", "source"], rows


def _settings(plugin: Any) -> str:
    """The fields, with their defaults."""
    fields = plugin.model_fields.items()
    return ", ".join(name if info.is_required() else f"{name}={info.default}" for name, info in fields)


def _tasks() -> Listing:

    from harness.data.tasks import find_task
    from harness.task import TASKS

    rows = []
    for name in TASKS.names():
        declared = find_task(name)
        places = [*([declared.hub.id] if declared.hub else []), *(["package asset"] if declared.asset else [])]
        rows.append([name, declared.kind, ", ".join(declared.metrics), ", ".join(places), declared.source])
    return ["task", "kind", "metrics", "data", "source"], rows


def _probes() -> Listing:
    """A row for every quantity: the words that tables, figures and searches know."""
    from harness.probe import probes_by_quantity, quantities

    probes, rows = probes_by_quantity(), []
    for name, quantity in quantities().items():
        probe = probes[name]
        better = "higher" if quantity.higher_is_better else "lower"
        asked = "every run" if probe.is_standard else f"--probe {probe.name}"
        rows.append([name, quantity.unit, better, quantity.description, asked, _settings(probe), probe.source])
    return ["quantity", "unit", "better", "what it is", "measured by", "settings", "source"], rows


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
