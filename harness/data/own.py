"""A user's own file as a task: a CSV, TSV, JSON lines or parquet file, described by settings or by a TOML file."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from os.path import expanduser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from harness.core import template
from harness.core.errors import SpecError, nearest
from harness.core.info import TaskKind
from harness.core.spec import digest
from harness.core.toml import read_toml
from harness.data.own_fields import PLURAL, OwnTask, check_labels, parse
from harness.data.own_rows import read_examples
from harness.data.tables import RawTable, read
from harness.data.transform import transformed
from harness.task import Task, declaration

DEFAULT_METRICS: dict[TaskKind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "multiple_choice": ("accuracy",),
    "regression": ("spearman", "pearson"),
    "token_classification": ("span_f1",),
    "generation": ("exact_match",),
}
STOPS = ("\n", "\n\n")
"""What may end a generated answer unless told otherwise: the first that no target contains."""


def own_task_named(name: str) -> Task:
    """The task of a name such as ``my.toml`` or ``reviews.csv?text=review&target=sentiment``.

    After the question mark come fields of OwnTask as in a URL (``%26`` is &, but + is a plus); a field with several
    values is repeated, and ``\\n`` in a template or a stop text is a line break. While its files stay as they are, a
    name gives the same task.

    Raises:
        SpecError, SourceError: as ``own_task``.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SpecError(f"the task's name {name!a} is no UTF-8") from None
    path, _, query = name.partition("?")
    return own_task(Path(expanduser(path)), _settings(query), name)


def _settings(query: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        try:
            field, separator, value = (unquote(text, errors="strict") for text in part.partition("="))
        except UnicodeDecodeError:
            raise SpecError(f"{part!r} has %-escapes that are no UTF-8; write %25 for a per cent sign") from None
        if not separator:
            raise SpecError(f"{part!r} says nothing: write field=value, and %26 for an & in a value")
        if field in ("templates", "stop"):
            value = value.replace("\\n", "\n")
        if field in PLURAL:
            settings[field] = (*settings.get(field, ()), value)
        elif field in settings:
            raise SpecError(f"task.{field} is given twice: {settings[field]!r} and {value!r}")
        else:
            settings[field] = value
    return settings


def own_task(path: Path, settings: dict[str, Any], name: str | None = None) -> Task:
    """A task from one's own file.

    Args:
        path: A data file; or a TOML file that names one (``file``, relative to itself) beside the fields of OwnTask.
        settings: Fields of OwnTask; they win over the TOML file's.
        name: What the task is called; default: the path.

    Raises:
        SpecError: a field or column that is wrong, with the nearest name; or fewer than two labels.
        SourceError: a file that can't be read or understood, with the line.
    """
    data = path
    if path.suffix.lower() == ".toml":
        settings = {**read_toml(path), **settings}
        file = settings.pop("file", None)
        if not isinstance(file, str):
            raise SpecError(f'{path} names no data: file = "reviews.csv", relative to itself')
        data = path.parent / file
    own = parse(settings)
    paths = {"train": data} | {
        split: path.parent / file
        for split, file in (("validation", own.validation), ("test", own.test))
        if file is not None
    }
    states = tuple(map(_state, paths.values()))
    _check_distinct(paths, states)
    return _read(name or str(path), own, tuple(paths.items()), states)


def _state(path: Path) -> tuple[int, ...]:
    """Which file it is, and what changes whenever its content does; nothing where there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=8)
def _read(name: str, own: OwnTask, paths: tuple[tuple[str, Path], ...], states: tuple[tuple[int, ...], ...]) -> Task:
    """The task with the examples of its files, read once in a process unless they change."""
    wanted = list(dict.fromkeys([*own.text, own.target, *own.choices, *own.shown]))
    left_out: Counter[str] = Counter()
    tables = {split: read(file, None if own.transform else wanted) for split, file in paths}
    if own.transform:
        tables = {split: transformed(table, own.transform, split, left_out) for split, table in tables.items()}
    for table in tables.values():
        _check_columns(wanted, table)
    found, labels = read_examples(own, tables)
    found.left_out.update(left_out)
    if not own.labels:
        check_labels(own, labels)
    phrases = tuple(label.replace("_", " ") for label in labels)
    phrases = phrases if len(set(phrases)) == len(labels) else labels
    targets: list[Any] = [example.target for part in found.splits.values() for example in part]
    task = Task(
        name=name,
        source=str(tables["train"].path),
        kind=own.kind,
        text=own.text,
        target=own.target,
        labels=labels,
        templates=own.templates or ("\n".join(map(template.place, own.text)) + "\nAnswer:",),
        verbalizers=tuple(f" {text.strip()}" for text in own.verbalizers or phrases),
        descriptions=own.descriptions or phrases,
        metrics=own.metrics or DEFAULT_METRICS[own.kind],
        own=found,
        max_new_tokens=own.max_new_tokens,
        stop=_stop(own, targets),
        transform=own.transform or "",
    )
    # What the settings and the file say decides the result, so it is part of run_id.
    return task.model_copy(update={"version": int(digest(declaration(task)), 16)})


def _stop(own: OwnTask, targets: Sequence[Any]) -> tuple[str, ...]:
    if own.stop is not None:
        return own.stop
    if own.kind != "generation":
        return STOPS[:1]
    return next(((stop,) for stop in STOPS if not any(stop in target for target in targets)), ())


def _check_distinct(paths: dict[str, Path], states: Sequence[tuple[int, ...]]) -> None:
    """Raise a SpecError where one file is to play two parts."""
    parts: dict[tuple[int, ...], str] = {}
    for (split, path), state in zip(paths.items(), states, strict=True):
        other = parts.setdefault(state, split)
        if state and other != split:
            raise SpecError(f"{path} can't be both {other} and {split}; leave task.{split} out to have it carved")


def _check_columns(wanted: Sequence[str], table: RawTable) -> None:
    for column in wanted:
        if column not in table.columns:
            has = ", ".join(table.columns)
            raise SpecError(f"{table.path} has no column {column!r}{nearest(column, table.columns)}; it has {has}")
