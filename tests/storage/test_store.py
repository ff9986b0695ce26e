"""The store: what is finished, what is left out, what is on the disk before what."""

import json
import os
import resource
import signal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError, HarnessWarning, SourceError, SpecError, StorageError
from harness.core.spec import RunSpec
from harness.runs.export import export_run, load_run
from harness.runs.run import run
from harness.storage.predictions import reader
from harness.storage.record import Record
from harness.storage.store import Store
from tests.conftest import MakeSpec, Register
from tests.synthetic import make_record, write_run

FORK = get_context("fork")
"""Processes that have torch already."""


def record_file(results: Path, seed: int = 0) -> Path:
    """A finished run's record."""
    record = make_record(seed=seed)
    write_run(results, record)
    return results / "runs" / record["run_id"] / "record.json"


def run_into(spec: RunSpec, results: Path, force: bool, answers: Any) -> None:
    answers.put(run(spec, results, force=force).finished_at)


@pytest.mark.parametrize("force", [False, True])
def test_two_processes_compute_a_run_once(force: bool, make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    log = tmp_path / "log"
    register("methods", "slow", f"import os, time; os.system('printf x >> {log}'); time.sleep(0.5)")
    spec = make_spec("slow", training={"max_steps": 1})
    if force:
        run(spec, tmp_path)
        log.unlink()
    answers = FORK.Queue()
    processes = [FORK.Process(target=run_into, args=(spec, tmp_path, force, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert log.read_text() == "x"
    assert found[0] == found[1]


DAMAGES = {
    "empty": lambda path: path.write_text(""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "null": lambda path: path.write_text("null"),
    "list": lambda path: path.write_text("[]"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "another run's": lambda path: path.write_text(path.read_text().replace(path.parent.name, "0" * 12)),
    "outside": lambda path: path.write_text(path.read_text().replace(path.parent.name, "../../secret")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_record_is_named_and_counted_and_the_others_are_read(damage: str, tmp_path: Path) -> None:
    bad, good = record_file(tmp_path, 0), record_file(tmp_path, 1)
    DAMAGES[damage](bad)
    with pytest.warns(HarnessWarning, match=rf"1 of 2 records are left out:\n.*{bad.parent.name}.record\.json"):
        found = list(Store(tmp_path).records())
    assert [record.run_id for record in found] == [good.parent.name]
    with pytest.warns(HarnessWarning, match="counts as not done"):
        assert Store(tmp_path).find(bad.parent.name) is None
    with pytest.raises(HarnessError, match="not a readable record"):
        Store(tmp_path).match(bad.parent.name)


def test_a_run_with_an_unreadable_record_is_run_again_and_the_old_one_kept(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(training={"max_steps": 1})
    folder = Store(tmp_path).folder(run(spec, tmp_path).run_id)
    (folder / "record.json").write_text("{")
    with pytest.warns(HarnessWarning):
        assert run(spec, tmp_path).status == "ok"
    assert (folder.with_suffix(".1") / "record.json").read_text() == "{"


def test_a_folder_of_runs_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(SpecError, match="can't read"):
        list(Store(tmp_path).records())


def test_a_prefix_names_no_superseded_run(tmp_path: Path) -> None:
    path = record_file(tmp_path)
    name = path.parent.name
    old = path.parent.with_name(f"{name}.1")
    old.mkdir()
    (old / "record.json").write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    store = Store(tmp_path)
    assert store.match(name[:5]) == (path.parent, store.find(name))
    folder, record = store.match(f"{name}.1")
    assert (folder, record.spec.seed) == (old, 7)
    for wrong in (f"{name}.", f"{name}.2", "../runs", "", "zzz"):
        if wrong:
            with pytest.raises(SpecError):
                store.match(wrong)


def test_all_is_on_the_disk_before_the_record_is(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def told(descriptor: int) -> None:
        fsync(descriptor)
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    def renamed(source: Any, target: Any) -> None:
        replace(source, target)
        done.append(f"to {target}")

    monkeypatch.setattr(os, "fsync", told)
    monkeypatch.setattr(os, "replace", renamed)
    record = run(make_spec(training={"max_steps": 1}), tmp_path)
    folder = tmp_path / "runs" / record.run_id
    order = {path: place for place, path in enumerate(done)}
    at = order[f"to {folder / 'record.json'}"]
    parts = [path for path in folder.rglob("*") if path.name != "record.json"]
    assert {path.name for path in parts} >= {"predictions.parquet", "adapter", "log.jsonl", "adapter_model.safetensors"}
    assert all(order[str(path)] < at for path in parts)
    assert order[str(folder)] > at
    assert order[str(folder.parent)] > at


def full_disk(n_bytes: int) -> Any:
    """Limit the size of files: writes beyond it fail in the system, as those on a full disk do."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    return limits


@pytest.mark.parametrize("n_bytes", [0, 10, 600, 3000, 8000, 15000])
def test_a_full_disk_leaves_no_record_wherever_it_happens(n_bytes: int, make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("full", training={"max_steps": 1})
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = full_disk(n_bytes)
    try:
        with pytest.raises(StorageError, match="can't write"):
            run(spec, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert not list(tmp_path.glob("runs/*/"))


UNLUCKY = '''"""A method whose file no longer fits."""
from typing import ClassVar
from harness.methods import full
from safetensors import SafetensorError

class Unlucky(full.FullFineTuning):
    """Train everything, store nothing."""
    source: ClassVar[str] = "nobody"

    def save(self, model, folder):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
'''


def test_what_safetensors_says_of_a_full_disk_is_one(make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    register("methods", "unlucky", UNLUCKY)
    with pytest.raises(StorageError, match="No space left"):
        run(make_spec("unlucky", training={"max_steps": 1}), tmp_path)
    assert not list(tmp_path.glob("runs/*/"))


@pytest.mark.parametrize("place", ["run", "adapter", "file"])
def test_an_adapter_that_links_to_other_files_is_refused(place: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    results, secret = tmp_path / "results", tmp_path / "secret"
    record = run(make_spec(training={"max_steps": 1}), results)
    folder = results / "runs" / record.run_id
    linked = {"run": folder, "adapter": folder / "adapter", "file": folder / "adapter" / "notes"}[place]
    if place == "file":
        secret.write_text("secret")
    else:
        linked.rename(secret)
    linked.symlink_to(secret)
    with pytest.raises(SourceError, match="is a link"):
        export_run(record.run_id, tmp_path / "out", results, merge=False)
    with pytest.raises(SourceError, match="is a link"):
        load_run(record.run_id, results)
    assert not (tmp_path / "out").exists()


def test_a_record_of_another_folder_is_not_followed_out_of_the_results(tmp_path: Path) -> None:
    path = record_file(tmp_path / "results")
    (tmp_path / "secret" / "adapter").mkdir(parents=True)
    (tmp_path / "secret" / "adapter" / "key").write_text("secret")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run_id": "../../secret"}))
    with pytest.raises(HarnessError, match=r"its run_id, '\.\./\.\./secret', is not its folder's"):
        export_run(path.parent.name, tmp_path / "out", tmp_path / "results", merge=False)
    assert not (tmp_path / "out").exists()


def test_records_are_what_was_written(tmp_path: Path) -> None:
    path = record_file(tmp_path)
    assert list(Store(tmp_path).records()) == [Record.model_validate_json(path.read_text())]


def changed_in_place(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_damage_that_can_still_be_read_is_noticed(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(training={"max_steps": 1})
    record, store = run(spec, tmp_path), Store(tmp_path)
    folder = store.folder(record.run_id)
    assert store.find(record.run_id) == record
    assert set(record.files) >= {"predictions.parquet", "adapter/adapter_model.safetensors"}

    (folder / "adapter" / "adapter_model.safetensors").unlink()  # to free some room
    (folder / "log.jsonl").write_text("")
    assert store.find(record.run_id) == record

    whole = (folder / "predictions.parquet").read_bytes()
    os.truncate(folder / "predictions.parquet", len(whole) // 2)
    os.truncate(folder / "predictions.parquet", len(whole))
    with pytest.warns(HarnessWarning, match=r"predictions\.parquet is not what the run stored .* counts as not done"):
        assert store.find(record.run_id) is None
    with pytest.warns(HarnessWarning, match="left out: .*its checksum differs.*run it again"):
        assert reader(store)(record, "test") is None
    (folder / "predictions.parquet").write_bytes(whole)

    changed_in_place(folder / "record.json", b'"seed": 0', b'"seed": 7')
    with pytest.warns(HarnessWarning, match="it was changed: its checksum differs"):
        assert store.find(record.run_id) is None
