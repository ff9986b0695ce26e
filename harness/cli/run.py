"""``harness run``: one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, say, say_table
from harness.cli.options import RESULTS, CheckpointEvery, Recipes, Results, Track
from harness.core.launch import is_first
from harness.libraries.trackers import check_installed

if TYPE_CHECKING:
    from harness.runs.resolve import Resolved
    from harness.storage.record import Record


def run(
    method: Annotated[str, typer.Option(help="Method, see `list methods`.")],
    task: Annotated[str, typer.Option(help="Task, see `list tasks`.")],
    base: Annotated[str, typer.Option(help="Base, see `list bases`; a local folder or a hub id works too.")] = "minilm",
    quantization: Annotated[str, typer.Option(help="none, 8bit or 4bit.")] = "none",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    recipe: Recipes = None,
    probe: Annotated[list[str] | None, typer.Option(help="Measure this too, see `list probes`; repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.field=value; may be repeated.")] = None,
    force: Annotated[bool, typer.Option(help="Repeat a finished run, keep the old record beside it.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the steps and the memory that training will need; run nothing.")
    ] = False,
    checkpoint_every: CheckpointEvery = None,
    tracker: Track = None,
    results: Results = RESULTS,
) -> None:
    """Adapt a base to a task with a method; print the result and where it is."""
    from harness.core.spec import asked_for
    from harness.runs.resolve import resolve  # a wrong name is told before torch is imported

    named = {
        "method": {"name": method},
        "task": {"name": task},
        "base": {"name": base, "quantization": quantization},
        "seed": seed,
    }
    resolved = resolve(asked_for(named, set_ or (), recipes=recipe or (), probes=probe or ()))

    if dry_run:
        if is_first():
            _print_forecast(resolved)
        return

    if tracker:
        check_installed(tracker)

    from harness.runs.run import run as run_spec
    from harness.storage.record import RETRIED

    record = run_spec(resolved, results, force=force, checkpoint_every=checkpoint_every, tracker=tracker)
    if is_first():
        print_record(record, results)
    if record.status in RETRIED:
        raise typer.Exit(1)


def _print_forecast(run: "Resolved") -> None:
    """What the run would be and need, on stdout."""
    from harness.runs.forecast import forecast

    needed = forecast(run)
    if needed is None:
        say(f"{run.spec.method.name} trains nothing")
        return
    work = f", each {needed.passes:g} times the work of a plain one" if needed.passes != 1 else ""
    say(f"{needed.n_steps:,} steps{work}; largest pass {needed.n_rows} x {needed.n_tokens} tokens")
    say(
        f"memory at the peak of training {needed.total / 1e9:.2f} GB: {needed.fixed / 1e9:.2f} whatever the pass, "
        f"{needed.batch / 1e9:.2f} for the largest, {needed.trained / 1e9:.2f} for optimizer and best checkpoint"
    )


def print_record(record: "Record", results: Path) -> None:
    """The result of a run on stdout, what is to be known of its data on stderr."""
    from harness.core.units import with_unit
    from harness.probe import quantities

    for sentence in record.data.notes():
        note(f"{record.spec.task.name}: {sentence}")
    spec, params, cost = record.spec, record.params, record.cost
    recipe = f" with {spec.recipe}" if spec.recipes else ""
    base = f"{spec.base.name} ({spec.base.quantization})"
    cell = f"{spec.method.name}{recipe} on {base}, {spec.task.name}, seed {spec.seed}"
    rows = [[name, f"{value:.4f}"] for name, value in sorted(record.metrics.items(), reverse=True)]
    if record.reason:
        rows.append(["reason", record.reason])
    if record.status != "skipped":
        trained = f"{params.trainable:,} of {params.total:,} ({params.trainable_percent:.2f} %)"
        rows.append(["trainable parameters", trained])
        rows.append(["training", f"{cost.train_seconds:.1f} s, {cost.train_tokens:,} tokens"])
        if cost.pretrain_seconds:
            when = "done before" if cost.pretrain_cached else "done now"
            rows.append(["pretraining", f"{cost.pretrain_seconds:.1f} s, {cost.pretrain_passes:g} passes ({when})"])
        rows.append(["evaluation", f"{cost.eval_seconds:.1f} s"])
    known = quantities()
    for name, value in record.measured.items():
        unit = known[name].unit if name in known else ""
        ends = [with_unit(end, unit) for end in record.measured_intervals.get(name, ())]
        rows.append([name, with_unit(value, unit) + (f" ({' to '.join(ends)})" if ends else "")])
    rows += [[f"measured by {name}", f"{seconds:.1f} s"] for name, seconds in cost.probe_seconds.items()]
    rows += [[name, f"not measured: {reason}"] for name, reason in record.measured_reasons.items()]
    sizes = ", ".join(f"{n:,} {split}" for split, n in record.data.sizes.items())
    rows.append(["data", f"{sizes} ({record.data.source}, {record.data.protocol})"])
    for name, other in record.data.out_of_domain.items():
        rows.append([f"out of domain: {name}", f"{other['size']:,} test ({other['overlap']:,} of them in train)"])
    rows.append(["record", str(results / "runs" / record.run_id / "record.json")])
    say_table(["", ""], rows, title=f"{cell}: {record.status}")
