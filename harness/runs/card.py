"""A run as a model card, in the format of the Hugging Face hub."""

from collections.abc import Iterator, Sequence

from harness.core.info import TaskKind
from harness.core.units import with_unit
from harness.probe import probes_by_quantity, quantities
from harness.storage.record import Record

PIPELINES: dict[TaskKind, str] = {
    "classification": "text-classification",
    "multiple_choice": "multiple-choice",
    "regression": "sentence-similarity",
    "token_classification": "token-classification",
    "generation": "text-generation",
}
"""What the hub calls a kind of task."""


def card(run: Record) -> str:
    """The card as Markdown: the hub's front matter, results, everything measured, data, limits, how to use it."""
    sections = [_front(run), _title(run), *_results(run), *_measured(run), *_training(run), *_data(run), *_use(run)]
    return "\n\n".join(sections) + "\n"


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


def _front(run: Record) -> str:
    """YAML that the hub reads: base, tags, and test results as a model index."""
    from huggingface_hub import EvalResult, ModelCardData

    task_type = PIPELINES.get(run.task.get("kind", ""), "text-classification")
    results = [
        EvalResult(
            task_type=task_type,
            dataset_type=run.spec.task.name,
            dataset_name=run.spec.task.name,
            dataset_split="test",
            metric_type=name.removeprefix("test/"),
            metric_value=value,
        )
        for name, value in run.metrics.items()
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


def _results(run: Record) -> Iterator[str]:
    """Metrics of one run: without other seeds and methods they prove nothing, and the card says so."""
    if not run.metrics:
        return
    yield "## Results"
    yield _table(["split and metric", "value"], [[name, f"{value:.4f}"] for name, value in sorted(run.metrics.items())])
    yield "One run with one seed: a comparison needs several of each method (`python -m harness table`)."


def _measured(run: Record) -> Iterator[str]:
    """Every quantity by its probe, with unit, direction and interval; then what could not be measured."""
    known, probes = quantities(), probes_by_quantity()
    found = {name: value for name, quantity in known.items() if (value := quantity.of(run)) is not None}
    if not found:
        return
    yield "## Measured"
    rows = []
    for name, value in found.items():
        unit = known[name].unit
        ends = " to ".join(with_unit(end, unit) for end in run.measured_intervals.get(name, ()))
        better = "higher" if known[name].higher_is_better else "lower"
        rows.append([probes[name].name, name, with_unit(value, unit), ends, better, known[name].description])
    yield _table(["probe", "quantity", "value", "95 % interval over examples", "better", "what it is"], rows)
    if run.measured_reasons:
        yield _table(["not measured", "why"], [[name, why] for name, why in sorted(run.measured_reasons.items())])


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
