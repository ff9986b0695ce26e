"""A run as a model card, in the format of the Hugging Face hub."""

from collections.abc import Iterator, Sequence

from harness.cells.cells import find_all_mixed, group, layout_of_all
from harness.cells.folds import refuse_folds
from harness.core.errors import SpecError
from harness.core.info import TaskKind
from harness.core.seeds import format_seeds
from harness.core.units import Unit, with_unit
from harness.probe import probes_by_quantity, quantities
from harness.statistics.intervals import Interval, mean_interval
from harness.storage.predictions import reader
from harness.storage.record import Record
from harness.storage.store import Store

PIPELINES: dict[TaskKind, str] = {
    "classification": "text-classification",
    "multiple_choice": "multiple-choice",
    "regression": "sentence-similarity",
    "token_classification": "token-classification",
    "generation": "text-generation",
}
"""What the hub calls a kind of task."""


def card(run: Record, cell: Sequence[Record] = ()) -> str:
    """The card as Markdown: the hub's front matter, results, everything measured, data, limits, how to use it.

    Args:
        run: Whose adapter it goes with.
        cell: The run and those of other seeds, over which results and quantities are then means.
    """
    runs = cell or [run]
    results = [*_results(runs), *_measured(run, runs)]
    sections = [_front(run, runs), _title(run), *results, *_training(run), *_data(run), *_use(run)]
    return "\n\n".join(sections) + "\n"


def cell_of(run: Record, store: Store) -> Sequence[Record]:
    """The finished runs that differ from one by nothing but the seed and what was measured, itself among them.

    Raises:
        SpecError: the run has not ended well, is of a cross-validation, or the others saw other data, weights or
            devices.
    """
    if run.status != "ok":
        raise SpecError(f"run {run.run_id} is {run.status}: a cell's card needs one that ended well")
    refuse_folds([run], "the card of a cell")
    same = [other for other in store.records() if _without_seed(other) == _without_seed(run)]
    comparisons = group(same, layout_of_all(same))
    find_all_mixed(comparisons, reader(store), "test", allow=False)
    return comparisons[0].cells[0].ok


def _without_seed(run: Record) -> str:
    return run.spec.model_copy(update={"seed": 0, "probes": ()}).model_dump_json()


def as_html(text: str, title: str) -> str:
    """A card as a page of its own, without its front matter; nothing in it is markup of somebody else's."""
    from html import escape

    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text.split("\n---\n", 1)[1])
    style = "body{font:16px/1.5 sans-serif;max-width:60em;margin:auto;padding:1em;color-scheme:light dark}"
    style += "td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}div{overflow-x:auto}"
    body = body.replace("<table>", "<div><table>").replace("</table>", "</table></div>")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f"<!doctype html>\n<html lang=en><head>{head}<style>{style}</style></head><body>\n{body}</body></html>\n"


def _front(run: Record, runs: Sequence[Record]) -> str:
    """YAML that the hub reads: base, tags, and test results (means over the runs) as a model index."""
    from huggingface_hub import EvalResult, ModelCardData

    task_type = PIPELINES.get(run.task.get("kind", ""), "text-classification")
    results = [
        EvalResult(
            task_type=task_type,
            dataset_type=run.spec.task.name,
            dataset_name=run.spec.task.name,
            dataset_split="test",
            metric_type=name.removeprefix("test/"),
            metric_value=found.mean,
        )
        for name, found in _metrics(runs).items()
        if name.startswith("test/")
    ]
    data = ModelCardData(
        base_model=run.spec.base.name,
        library_name="adaptation-harness",
        pipeline_tag=task_type,
        tags=[run.spec.method.name, *(recipe.name for recipe in run.spec.recipes)],
        model_name=f"{run.spec.method.name}-{run.run_id}",
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def _title(run: Record) -> str:
    spec = run.spec
    recipe = f" with {spec.recipe}" if spec.recipes else ""
    lines = [
        f"# {_plain(spec.base.name)} adapted to {_plain(spec.task.name)} by {spec.method.name}{recipe}",
        f"Run `{run.run_id}`, seed {spec.seed}, quantization {spec.base.quantization}: {run.status}"
        + (f" ({_plain(run.reason)})." if run.reason else "."),
    ]
    return "\n\n".join(lines)


def _metrics(runs: Sequence[Record]) -> dict[str, Interval]:
    names = {name: None for run in runs for name in sorted(run.metrics)}
    return {name: mean_interval([run.metrics[name] for run in runs if name in run.metrics]) for name in names}


def _results(runs: Sequence[Record]) -> Iterator[str]:
    """Metrics. Of one run, without other seeds, they prove nothing, and the card says so."""
    found = _metrics(runs)
    if not found:
        return
    yield "## Results"
    yield _table(["split and metric", "value"], [[name, _value(one)] for name, one in found.items()])
    if len(runs) > 1:
        seeds = format_seeds([run.spec.seed for run in runs])
        yield f"Means over {len(runs)} runs (seeds {seeds}) ± half-width of the 95 % t-interval over them."
    else:
        yield "One run with one seed: a comparison needs several of each method (`python -m harness table`)."


def _value(found: Interval, unit: Unit | None = None) -> str:
    """A mean with its half-width if it has one; a metric, which has no unit, to four digits."""
    values = [found.mean] if found.half_width is None else [found.mean, found.half_width]
    return " ± ".join(f"{value:.4f}" if unit is None else with_unit(value, unit) for value in values)


def _measured(run: Record, runs: Sequence[Record]) -> Iterator[str]:
    """Every quantity by its probe, with unit, direction and intervals; then what could not be measured in the run."""
    known, probes = quantities(), probes_by_quantity()
    found = {name: values for name in known if (values := _quantity(name, runs))}
    if not found:
        return
    yield "## Measured"
    rows = []
    for name, values in found.items():
        unit = known[name].unit
        ends = " to ".join(with_unit(end, unit) for end in run.measured_intervals.get(name, ()))
        better = "higher" if known[name].higher_is_better else "lower"
        value = _value(mean_interval(values), unit)
        rows.append([probes[name].name, name, value, ends, better, known[name].description])
    over = "95 % interval over examples" + (f", seed {run.spec.seed}" if len(runs) > 1 else "")
    yield _table(["probe", "quantity", "value", over, "better", "what it is"], rows)
    if run.measured_reasons:
        yield _table(["not measured", "why"], [[name, why] for name, why in sorted(run.measured_reasons.items())])


def _quantity(name: str, runs: Sequence[Record]) -> list[float]:
    quantity = quantities()[name]
    return [value for run in runs if (value := quantity.of(run)) is not None]


def _training(run: Record) -> Iterator[str]:
    yield "## Training"
    settings = {
        **{f"method.{name}": value for name, value in run.spec.method.settings.items()},
        **{f"training.{name}": value for name, value in run.spec.training.model_dump(mode="json").items()},
    }
    yield _table(["setting", "value"], [[name, str(value)] for name, value in settings.items()])
    yield (
        f"{run.params.trainable:,} of {run.params.total:,} parameters trained ({run.params.trainable_percent:.2f} %), "
        f"{run.params.stored_bytes:,} bytes stored."
    )


def _data(run: Record) -> Iterator[str]:
    yield "## Data"
    sizes = ", ".join(f"{number:,} {split}" for split, number in run.data.sizes.items())
    yield _plain(f"{sizes} ({run.data.source}, {run.data.protocol}, fingerprint {run.data.fingerprint}).")
    if notes := run.data.notes():
        yield "\n".join(f"- {_plain(note)}" for note in notes)


def _use(run: Record) -> Iterator[str]:
    yield "## Use"
    yield f"```sh\npython -m harness predict {run.run_id} TEXT\npython -m harness export {run.run_id} --to FOLDER\n```"
    versions = ", ".join(f"{name} {version}" for name, version in run.environment.get("versions", {}).items())
    yield _plain(f"Made with {versions} on {run.environment.get('cpu', 'an unknown processor')}.")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """A text from outside that Markdown shows as it is, in one line."""
    safe = "".join(f"\\{letter}" if letter in "\\`*[]<>|" else letter for letter in text)
    return " ".join(safe.split())
