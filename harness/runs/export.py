"""Trained runs put to use: export their adapters, answer new texts."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness import data
from harness.bases.weights import weights_of
from harness.core.errors import SourceError, SpecError
from harness.data.examples import fields_of
from harness.data.tasks import find_task, is_own
from harness.method import make_method
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.plain import speak_the_task
from harness.runs.predict import predict
from harness.runs.pretrained import start
from harness.runs.resolve import Resolved, resolve
from harness.storage.checkpoint import hash_folder
from harness.storage.record import Record
from harness.storage.store import Store
from harness.task import Example, Splits, Task, declared

ADAPTER = "adapter"


def load_run(run_id: str, results: Path) -> tuple[Record, Task, Adapted]:
    """A finished run's record and task, and its adapted model with the stored adapter in place.

    Raises:
        SpecError: no such run, or one that did not end ok.
        SourceError: its adapter or its base can't be read.
    """
    folder, record = Store(results).match(run_id)
    if record.status != "ok":
        raise SpecError(f"run {record.run_id} is {record.status}: {record.reason or 'there is no model to use'}")
    if record.members:
        record = _as_trained(record, folder, results)
    _check_weights(record)
    run = as_started(record, resolve(record.spec, _as_answered(record)))
    # A schedule's length matters to training only; two is the least any method accepts.
    steps = max(2, int(record.curve[-1]["step"])) if record.curve else 2
    adapted = adapt(run, load_base(run), steps)
    if run.method.trains:
        _check_stored(folder / ADAPTER, record)
        run.method.load(adapted.model, folder / ADAPTER)
    return record, run.task, adapted


def as_started(record: Record, run: Resolved) -> Resolved:
    """The run with the base that its recipes pretrained: the cached one, or one made again.

    Raises:
        SpecError: the examples have changed since.
        SourceError: what is made again has other weights than the run started from, as on another machine.
    """
    if not record.weights.pretrained:
        return run
    run, _ = start(run, _splits_of(record))
    now = weights_of(run.start).fingerprint
    if now != record.weights.pretrained:
        raise SourceError(
            f"the base as {record.spec.recipe} pretrains it has other weights ({now}) here than run {record.run_id} "
            f"started from ({record.weights.pretrained}); copy its cache folder, or run it again with --force"
        )
    return run


def _as_trained(record: Record, folder: Path, results: Path) -> Record:
    """A soup's record with the spec of its members, whose model its weights belong to.

    Raises:
        SpecError: an ensemble, which has none.
    """
    if not (folder / ADAPTER).is_dir():
        raise SpecError(f"run {record.run_id} is an ensemble: it has its members' answers, and no weights of its own")
    return record.model_copy(update={"spec": Store(results).match(record.members[0])[1].spec})


def _as_answered(record: Record) -> Task:
    """The task as it was when the run answered it: its labels, prompts and scale, whatever a file says by now."""
    name = record.spec.task.name
    if is_own(name):
        if not record.task:
            raise SpecError(f"run {record.run_id} does not say what its labels and prompts were; run it again")
        return declared(name, record.data.source, record.task)
    task = find_task(name)
    if record.task.get("version", task.version) != task.version:
        raise SpecError(
            f"run {record.run_id} is of version {record.task['version']} of task {name}, which is {task.version} now; "
            "run it again"
        )
    return task


def _train_of(record: Record) -> list[Example]:
    """The training examples of a run, as ``_splits_of`` reads them."""
    return _splits_of(record).train


def _splits_of(record: Record) -> Splits:
    """The examples of a run.

    Raises:
        SpecError: they have changed since.
    """
    spec = record.spec
    splits, info = data.load(find_task(spec.task.name), spec.task, spec.seed)
    if info.fingerprint != record.data.fingerprint:
        raise SpecError(f"the examples of {spec.task.name} have changed since run {record.run_id}; run it again")
    return splits


def export_run(run_id: str, to: Path, results: Path, *, merge: bool) -> Path:
    """Write a run's adapter, or the merged model with its tokenizer, to a new or empty folder.

    Raises:
        SpecError: the folder is no empty one, the method trains nothing, or it can't be merged.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise SpecError(f"{to} is not an empty folder; choose a new one")
    if merge:
        record, _, adapted = load_run(run_id, results)
        merged: Any = make_method(record.spec.method).merge(adapted.model)
        speak_the_task(merged, adapted)
        merged.save_pretrained(to)
        adapted.base.tokenizer.save_pretrained(to)
        return to
    folder, record = Store(results).match(run_id)
    adapter = folder / ADAPTER
    if not adapter.is_dir():
        raise SpecError(f"run {record.run_id} ({record.spec.method.name}, {record.status}) stored no adapter")
    _check_stored(adapter, record)
    shutil.copytree(adapter, to, dirs_exist_ok=True)
    return to


def _check_weights(record: Record) -> None:
    """Refuse a base whose weights are not those that the run adapted; records of older versions don't tell.

    Raises:
        SourceError: naming both.
    """
    trained, now = record.weights.fingerprint, weights_of(record.spec.base.name).fingerprint
    if trained and trained != now:
        raise SourceError(f"base {record.spec.base.name} has other weights ({now}) than the run adapted ({trained})")


def _check_stored(adapter: Path, record: Record) -> None:
    """Refuse an adapter that is not, to the last bit, what the run stored; records of older versions don't tell.

    Raises:
        SourceError: a file is missing, changed, or not plain.
    """
    check_plain(adapter)
    if record.params.stored_hash and hash_folder(adapter) != record.params.stored_hash:
        raise SourceError(f"{adapter} is not what the run stored: its checksum differs; run it again with --force")


def check_plain(adapter: Path) -> None:
    """Refuse an adapter that is not files in a folder of its run: a link may point to anything outside.

    Raises:
        SourceError: naming the link.
    """
    for path in (adapter.parent, adapter, *adapter.rglob("*")):
        if path.is_symlink() or (path.exists() and not path.is_dir() and not path.is_file()):
            raise SourceError(f"{path} is a link or no plain file: a run's adapter is files, nothing else is read")


@torch.no_grad()
def predict_texts(run_id: str, texts: Sequence[str], results: Path) -> list[dict[str, Any]]:
    """One answer per text: its label (or number, or text) and the score of every label.

    Raises:
        SpecError: an empty text, or fields that are not the task's.
    """
    record, task, adapted = load_run(run_id, results)
    formulation = adapted.formulation
    examples = [example_of(task, adapted, text, index) for index, text in enumerate(texts)]
    prepare(record, adapted)
    answers = predict(adapted.model, formulation, formulation.encode(examples))
    return [
        _readable(task, example, text, answer.prediction, answer.scores)
        for example, text, answer in zip(examples, texts, answers, strict=True)
    ]


def prepare(record: Record, adapted: Adapted) -> None:
    """Make a loaded run ready to answer, with its training examples where it reads them."""
    reads_train = make_method(record.spec.method).scoring().n_shots or adapted.formulation.reads_train
    adapted.formulation.prepare(adapted.model, _train_of(record) if reads_train else [])


def example_of(task: Task, adapted: Adapted, text: str, index: int = 0) -> Example:
    """A text as an example: as it is where the task reads one, else a JSON object of its fields and choices.

    Raises:
        SpecError: an empty text, or fields that are not the task's.
    """
    if not text.strip():
        raise SpecError(f"text {index + 1} is empty")
    asked = getattr(adapted.formulation, "prompts", None)
    columns = list(dict.fromkeys([*task.text, *(asked.columns if asked else ())]))
    made = fields_of(task, dict.fromkeys(task.text, "…"))
    form: dict[str, Any] = {column: "…" for column in columns if column in task.text or column not in made}
    if task.kind == "multiple_choice":
        form["choices"] = ["…", "…"]
    given = _json_object(text) if len(form) > 1 else {task.text[0]: text}
    choices = given.get("choices", form.get("choices", ()))
    if given.keys() != form.keys() or isinstance(choices, str) or len(choices) == 1:
        example = json.dumps(form, ensure_ascii=False)
        raise SpecError(f"task {task.name} reads {' and '.join(form)}: give each text as JSON like {example}")
    tokens = tuple(text.split()) if task.kind == "token_classification" else ()
    return Example(
        id=str(index),
        fields=fields_of(task, {column: given[column] for column in form if column != "choices"}),
        target=(0,) * len(tokens) if tokens else 0,
        choices=tuple(str(choice).strip() for choice in choices),
        tokens=tokens,
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _readable(task: Task, example: Example, text: str, prediction: Any, scores: Sequence[float]) -> dict[str, Any]:
    names = task.labels or example.choices
    if isinstance(prediction, tuple):
        prediction = [names[label] for label in prediction]
    elif names:
        prediction = names[prediction]
    named = {"scores": dict(zip(names, scores, strict=True))} if names and scores else {}
    return {"text": text, "prediction": prediction, **named}
