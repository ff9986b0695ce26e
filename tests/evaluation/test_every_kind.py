"""Every kind of task on every kind of base, trained and not: an answer, or a reason."""

import shutil
from pathlib import Path

import pytest

from harness.run import run
from tests.conftest import MakeSpec
from tests.hub_schema import write_mirror

TASKS = {
    "classification": "rte",
    "multiple_choice": "commonsense_qa",
    "regression": "stsb",
    "token_classification": "wnut17",
    "generation": "multi30k_en_de",
}
KINDS = ("encoder", "decoder", "encoder_decoder")
NEW_HEAD = "a new head would answer at random"
SKIPPED = {  # a base, a kind of task, whether something is trained: the reason
    ("encoder", "generation", True): "no language-model head",
    ("encoder", "generation", False): "no language-model head",
    ("encoder", "token_classification", False): NEW_HEAD,
    ("decoder", "regression", False): NEW_HEAD,
    ("encoder_decoder", "regression", False): NEW_HEAD,
}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("mirror"))


@pytest.fixture(autouse=True)
def in_mirror(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))


@pytest.fixture(scope="module")
def bases(snapshots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny bases; the encoder calls itself a sentence embedder, so that zero_shot may compare texts."""
    embedder = tmp_path_factory.mktemp("embedder")
    shutil.copytree(snapshots["encoder"], embedder, dirs_exist_ok=True)
    (embedder / "modules.json").write_text("[]")
    return {**snapshots, "encoder": embedder}


@pytest.mark.parametrize("method", ["lora", "zero_shot"])
@pytest.mark.parametrize("task_kind", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_or_a_reason(
    kind: str, task_kind: str, method: str, bases: dict[str, Path], make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(
        method,
        base={"name": str(bases[kind])},
        task={"name": TASKS[task_kind], "path": None},
        training={"max_steps": 2},
        evaluation={"max_new_tokens": 4},
    )
    record = run(spec, tmp_path)
    expected = SKIPPED.get((kind, task_kind, method == "lora"))
    if expected:
        assert record.status == "skipped"
        assert expected in (record.reason or "")
    else:
        assert record.status == "ok", record.reason
        assert record.primary_metric
        assert f"test/{record.primary_metric}" in record.metrics
