"""One run, end to end, on tiny bases: what is stored, repeated, interrupted, and what fails."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModel

from harness.bases.load import Wanted, load
from harness.core.errors import HarnessError, SourceError, SpecError
from harness.core.spec import BaseSpec
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.store import Store
from harness.testing.snapshots import save_snapshot
from tests.conftest import MakeSpec, Register
from tests.representatives import REPRESENTATIVES, SMALLER

POOLER, CLASSIFIER = 32 * 32 + 32, 2 * 32 + 2
"""Parameters of the tiny encoder's head."""


def predictions(results: Path, run_id: str) -> list[dict[str, object]]:
    return pq.read_table(results / "runs" / run_id / "predictions.parquet").to_pylist()


def test_record_tells_all(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec(training={"epochs": 3}), tmp_path)
    folder = tmp_path / "runs" / record.run_id
    assert record.status == "ok"
    assert {"validation/accuracy", "test/accuracy"} == set(record.metrics) == set(record.metrics_last)
    assert record.params.head == POOLER + CLASSIFIER
    assert 0 < record.params.trainable < record.params.total
    assert record.params.stored_bytes == sum(
        file.stat().st_size for file in (folder / "adapter").iterdir() if file.is_file()
    )
    per_epoch = -(-record.data.sizes["train"] // 16)
    assert [point["step"] for point in record.curve] == [per_epoch, 2 * per_epoch, 3 * per_epoch]
    assert record.cost.train_tokens <= record.cost.padded_tokens
    assert record.cost.peak_memory_bytes.train > 0
    rows = predictions(tmp_path, record.run_id)
    assert sum(row["split"] == "test" for row in rows) == record.data.sizes["test"] == 48
    right = [row["correct"] for row in rows if row["split"] == "test"]
    assert sum(right) / len(right) == record.metrics["test/accuracy"]
    assert all(row["correct"] == (row["target"] == row["prediction"]) for row in rows)
    assert json.loads((folder / "record.json").read_text())["schema"] == 2
    assert json.loads((folder / "spec.json").read_text()) == record.spec.model_dump(mode="json")


def test_a_pooler_that_was_never_trained_is_made_for_the_task(tmp_path: Path) -> None:
    folder = save_snapshot("encoder", tmp_path / "base")

    def made(wanted: Wanted) -> tuple[str, ...]:
        return load(BaseSpec(name=str(folder)), wanted).head_names

    with_head = Wanted("AutoModelForSequenceClassification", 2)
    assert made(with_head) == ("bert.pooler.dense", "classifier")
    assert made(Wanted("AutoModel")) == ()
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.pooler.dense.bias[0] = 1e-3
    model.save_pretrained(folder)
    assert made(with_head) == ("classifier",)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "encoder_decoder"])
@pytest.mark.parametrize("method", ["zero_shot", *REPRESENTATIVES])
def test_a_method_of_every_family_runs_on_every_kind_of_base(
    method: str, kind: str, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(method, kind, method=SMALLER.get(method, {}), training={"max_steps": 4})
    record = run(spec, tmp_path)
    if reason := resolve(spec).skip_reason():
        assert (record.status, record.reason) == ("skipped", reason)
    else:
        assert record.status == "ok", record.reason
        assert 0 <= record.metrics["test/accuracy"] <= 1
        assert record.params.head == (POOLER + CLASSIFIER if kind == "encoder" else 0)


def test_learns(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("full", training={"epochs": 12, "learning_rate": 3e-3}), tmp_path)
    assert record.metrics["test/accuracy"] > 0.9


def test_finished_run_is_returned(make_spec: MakeSpec, tmp_path: Path) -> None:
    first = run(make_spec(), tmp_path)
    changed = (tmp_path / "runs" / first.run_id / "record.json").stat().st_mtime_ns
    assert run(make_spec(), tmp_path) == first
    assert (tmp_path / "runs" / first.run_id / "record.json").stat().st_mtime_ns == changed


def test_forced_run_is_identical_and_keeps_the_old_one(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(method={"dropout": 0.1})
    first = run(spec, tmp_path)
    before = predictions(tmp_path, first.run_id)
    second = run(spec, tmp_path, force=True)
    assert second.run_id == first.run_id
    assert second.metrics == first.metrics
    assert predictions(tmp_path, first.run_id) == before == predictions(tmp_path, f"{first.run_id}.1")
    assert [record.run_id for record in Store(tmp_path).records()] == [first.run_id]


def test_seeds_differ(make_spec: MakeSpec, tmp_path: Path) -> None:
    runs = [run(make_spec(seed=seed), tmp_path) for seed in (0, 1)]
    assert runs[0].run_id != runs[1].run_id
    assert predictions(tmp_path, runs[0].run_id) != predictions(tmp_path, runs[1].run_id)


def test_best_and_last_checkpoint(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("full", training={"epochs": 6, "learning_rate": 2e-2}), tmp_path)
    values = [point["validation/accuracy"] for point in record.curve]
    assert record.metrics["validation/accuracy"] == max(values)
    assert record.metrics_last["validation/accuracy"] == values[-1]


def test_early_stopping(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("full", training={"epochs": 60, "learning_rate": 3e-3, "patience": 2}), tmp_path)
    values = [point["validation/accuracy"] for point in record.curve]
    assert len(values) < 60
    assert max(values[-2:]) <= max(values[:-2])


def test_explosion_is_a_record(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("full", training={"epochs": 30, "learning_rate": 1e4}), tmp_path)
    assert record.status == "diverged"
    assert "loss" in (record.reason or "")
    assert run(make_spec("full", training={"epochs": 30, "learning_rate": 1e4}), tmp_path) == record


def test_skipped_is_a_record(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("full", base={"quantization": "4bit"}), tmp_path)
    assert record.status == "skipped"
    assert "full training needs quantization none" in (record.reason or "")


def test_out_of_memory_is_a_record(make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    register("methods", "greedy", "import torch; torch.empty(1 << 60)")
    record = run(make_spec("greedy"), tmp_path)
    assert (record.status, record.metrics) == ("out_of_memory", {})


@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError('could not create a primitive')",
        "raise RuntimeError('std::bad_alloc')",
        "raise RuntimeError('[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes')",
        "raise OSError(12, 'Cannot allocate memory')",
        "raise MemoryError",
        "raise ValueError('can not load') from MemoryError()",
    ],
)
def test_the_processors_memory_runs_out(code: str, make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    register("methods", "greedy", code)
    assert run(make_spec("greedy"), tmp_path).status == "out_of_memory"


def test_failed_run_is_tried_again(make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    flag = tmp_path / "mended"
    register("methods", "broken", f"import os\n        if not os.path.exists({str(flag)!r}): raise KeyError('lost')")
    first = run(make_spec("broken"), tmp_path)
    assert first.status == "failed"
    assert "lost" in (first.reason or "")
    assert "Traceback" in (tmp_path / "runs" / first.run_id / "log.jsonl").read_text()
    flag.touch()
    assert run(make_spec("broken"), tmp_path).status == "ok"


def test_callback_stops_a_run_without_a_record(make_spec: MakeSpec, tmp_path: Path) -> None:
    def stop(step: int, metrics: dict[str, float]) -> None:
        raise LookupError(step)

    with pytest.raises(LookupError):
        run(make_spec(), tmp_path, on_validation=stop)
    assert list(Store(tmp_path).records()) == []
    assert not list((tmp_path / "runs").glob("*/"))


def test_long_text_is_cut_and_counted(make_spec: MakeSpec, tmp_path: Path) -> None:
    whole = run(make_spec(training={"max_steps": 1}), tmp_path)
    cut = run(make_spec(training={"max_steps": 1}, base={"max_length": 8}), tmp_path)
    assert whole.data.truncated == 0
    assert cut.data.truncated > 0


SCRIPT = """
import json, sys
from pathlib import Path
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.core.spec import parse_spec
print(run(parse_spec(json.loads(sys.argv[1])), Path(sys.argv[2])).run_id)
"""


def test_killed_run_starts_afresh(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("full", training={"epochs": 40, "learning_rate": 1e-3})
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    expected = run(spec, undisturbed)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, spec.model_dump_json(), str(killed)])
    folder = killed / "runs" / expected.run_id
    deadline = time.monotonic() + 120
    while not (folder / "log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "spec.json").exists()
    assert not (folder / "record.json").exists(), "the run ended before it was killed"
    assert list(Store(killed).records()) == []
    assert run(spec, killed).metrics == expected.metrics
    assert predictions(killed, expected.run_id) == predictions(undisturbed, expected.run_id)


def test_results_folder_that_is_a_file(make_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match="can't write results"):
        run(make_spec(), tmp_path / "file")


def test_full_disk(make_spec: MakeSpec, tmp_path: Path) -> None:
    """A file-size limit makes real writes fail as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(HarnessError, match="can't write"):
            run(make_spec(training={"max_steps": 1}), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert list(Store(tmp_path).records()) == []


def test_truncated_weights(make_spec: MakeSpec, snapshots: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in snapshots["encoder"].iterdir():
        content = file.read_bytes()
        (broken / file.name).write_bytes(content[: len(content) // 2] if file.suffix == ".safetensors" else content)
    with pytest.raises(SourceError, match="can't read"):
        run(make_spec(base={"name": str(broken)}), tmp_path)
    assert list(Store(tmp_path).records()) == []


def test_truncated_data(make_spec: MakeSpec, tiny_data: Path, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        (tmp_path / f"{split}.parquet").write_bytes((tiny_data / f"{split}.parquet").read_bytes()[:200])
    with pytest.raises(SourceError, match=r"train\.parquet"):
        run(make_spec(task={"path": str(tmp_path)}), tmp_path)


def test_pickled_weights_are_refused(make_spec: MakeSpec, snapshots: dict[str, Path], tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in snapshots["encoder"].iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(SourceError, match="can't read"):
        run(make_spec(base={"name": str(folder)}), tmp_path)


def test_unknown_base_says_what_was_tried(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'minilmm' \(did you mean 'minilm'\?\); tried local folder .* the hub"):
        run(make_spec(base={"name": "minilmm"}), tmp_path)


def test_specs_are_frozen(make_spec: MakeSpec) -> None:
    with pytest.raises(ValidationError):
        make_spec().seed = 1  # type: ignore[misc]


def test_import_brings_no_torch() -> None:
    code = "import sys, harness; from harness import RunSpec; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


def test_no_secret_of_the_environment_is_kept(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "DATABASE_PASSWORD"):
        monkeypatch.setenv(name, "hf_SuperSecret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hf_SuperSecret@proxy")
    run(make_spec(training={"max_steps": 1}), tmp_path)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) > 3
    assert not [file for file in written if b"SuperSecret" in file.read_bytes()]
