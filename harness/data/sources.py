"""Where a task's rows come from: a given folder, a mirror, the hub, a package asset; the first that has them."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import SourceError
from harness.data.tasks import find_task
from harness.fetching import assets
from harness.fetching.hub import hub_problem
from harness.task import TASKS, Hub, Rows, Task

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """Where rows were found, and the rows of each split that it has."""

    place: str
    splits: dict[str, Rows]


class Unavailable(Exception):
    """This source does not have the task; the next one is tried."""


def read(task: Task, path: str | None = None) -> Source:
    """The rows of a registered task from the first source that has them; a path that is given is the only one.

    Raises:
        SourceError: no source has them (naming each with its reason), or one has them but they can't be read.
    """
    if path is not None:
        return _from_path(task, Path(path))
    tried = ["path: task.path is not given"]
    for name, source in (("mirror", _from_mirror), ("hub", _from_hub), ("package asset", _from_asset)):
        try:
            return source(task)
        except Unavailable as reason:
            tried.append(f"{name}: {reason}")
    offline = [name for name in TASKS.names() if find_task(name).asset]
    raise SourceError(
        f"no source has the examples of {task.name}; tried in this order:\n  "
        + "\n  ".join(tried)
        + f"\ntasks that need no hub: {', '.join(offline)}"
    )


def _from_path(task: Task, folder: Path) -> Source:
    files = {split: folder / f"{split}.parquet" for split in SPLITS}
    if not files["train"].is_file():
        raise SourceError(
            f"task.path: {files['train']} does not exist (validation.parquet and test.parquet are optional)"
        )
    return Source(f"path {folder}", {split: _parquet(task, file) for split, file in files.items() if file.is_file()})


def _from_mirror(task: Task) -> Source:
    root = os.environ.get("HARNESS_DATA_DIR")
    if not root:
        raise Unavailable("HARNESS_DATA_DIR is not set")
    hub = _hub_of(task)
    folder = Path(root) / hub.id / hub.config
    files = {split: folder / f"{name}.parquet" for split, name in hub_splits(hub).items()}
    missing = [file.name for file in files.values() if not file.is_file()]
    if len(missing) == len(files):
        raise Unavailable(f"{folder} has no {', '.join(missing)}")
    if missing:
        raise SourceError(f"the mirror's {folder} is incomplete: {', '.join(missing)} missing")
    return Source(f"mirror {hub.id}/{hub.config}", {split: _parquet(task, file) for split, file in files.items()})


def _from_hub(task: Task) -> Source:
    hub = _hub_of(task)
    reason = hub_problem()
    if reason and not _is_in_hub_cache(hub):
        raise Unavailable(reason)
    import datasets
    from huggingface_hub import constants

    if reason:
        # load_dataset retries for 23 s before it looks into its cache, unless it is told that it is offline.
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    names = hub_splits(hub)
    config = None if hub.config == "default" else hub.config
    try:
        found = datasets.load_dataset(hub.id, config, split=list(names.values()))
    except Exception as error:  # whatever the hub's libraries raise is the reason to report
        raise Unavailable(f"{hub.id}: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    tables = [d.with_format("arrow")[:].replace_schema_metadata(d.features.arrow_schema.metadata) for d in found]
    return Source(
        f"hub {hub.id}/{hub.config}",
        {split: _rows(task, table, hub.id) for split, table in zip(names, tables, strict=True)},
    )


def _from_asset(task: Task) -> Source:
    asset = task.asset
    if asset is None:
        raise Unavailable("this task has none")
    try:
        file = assets.wheel(asset.distribution, asset.version, asset.sha256)
    except SourceError as error:
        raise Unavailable(str(error)) from None
    return Source(f"asset {asset.distribution} {asset.version}", asset.read(file))


def _hub_of(task: Task) -> Hub:
    if task.hub is None:
        raise Unavailable("the hub does not have this task")
    return task.hub


def hub_splits(hub: Hub) -> dict[str, str]:
    """Our split name → the hub's, for the splits that the hub has."""
    names = {"train": hub.train, "validation": hub.validation, "test": hub.test}
    return {split: name for split, name in names.items() if name is not None}


def _is_in_hub_cache(hub: Hub) -> bool:
    from huggingface_hub import constants

    prepared = Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets")
    downloaded = Path(constants.HF_HUB_CACHE) / f"datasets--{hub.id.replace('/', '--')}"
    return downloaded.is_dir() or (prepared / hub.id.replace("/", "___")).is_dir()


def _parquet(task: Task, file: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{file} can't be read as parquet: {error}") from None
    return _rows(task, table, str(file))


def _rows(task: Task, table: "pa.Table", place: str) -> Rows:
    names = _label_names(table.schema.metadata or {}, task.target)
    if names and task.labels and tuple(names) != task.labels:
        found, expected = ", ".join(names), ", ".join(task.labels)
        raise SourceError(f"{place}: the labels of {task.target!r} are {found}; task {task.name} has {expected}")
    rows: Rows = table.to_pylist()
    return rows


def _label_names(metadata: dict[bytes, bytes], column: str) -> Sequence[str] | None:
    """Names of a ClassLabel column, or of a list of them, as the ``datasets`` library stores them in a schema."""
    info = json.loads(metadata.get(b"huggingface", b"{}"))
    feature: Any = info.get("info", {}).get("features", {}).get(column, {})
    feature = feature[0] if isinstance(feature, list) else feature
    names: Sequence[str] | None = feature.get("names") or feature.get("feature", {}).get("names")
    return names
