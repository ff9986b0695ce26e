"""Every kind of task on every kind of base, trained and not: an answer, or a reason."""

import json
import shutil
from pathlib import Path

import pytest

from harness.core.errors import SpecError
from harness.data.tasks import find_task
from harness.runs.export import predict_texts
from harness.runs.run import run
from harness.storage.record import Record
from tests.conftest import MakeSpec
from tests.hub_schema import write_mirror

TASK_OF = {
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
@pytest.mark.parametrize("task_kind", TASK_OF)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_or_a_reason(
    kind: str, task_kind: str, method: str, bases: dict[str, Path], make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(
        method,
        base={"name": str(bases[kind])},
        task={"name": TASK_OF[task_kind], "path": None},
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
        check_new_texts(record, TEXTS[task_kind], tmp_path)


TEXTS = {
    "classification": {"sentence1": "the film is good", "sentence2": "the plot is fine"},
    "multiple_choice": {"question": "is the film good", "choices": ["very", "one bad plot", "dull"]},
    "regression": {"sentence1": "the film is good", "sentence2": "the plot is fine"},
    "token_classification": "the film is good",
    "generation": "the film is good",
}


def check_new_texts(record: Record, asked: object, folder: Path) -> None:
    """`predict` answers what the task asks, in the task's own words, and refuses another form."""
    text = asked if isinstance(asked, str) else json.dumps(asked)
    task = find_task(record.spec.task.name)
    (answer,) = predict_texts(record.run_id, [text], folder)
    prediction = answer["prediction"]
    if task.kind == "token_classification":
        assert len(prediction) == 4
        assert set(prediction) <= set(task.labels)
    elif task.kind in ("classification", "multiple_choice"):
        names = list(task.labels) or json.loads(text)["choices"]
        assert prediction in names
        assert list(answer["scores"]) == names
    else:
        assert isinstance(prediction, float if task.kind == "regression" else str)
    if not isinstance(asked, str):
        with pytest.raises(SpecError, match="give each text as JSON like"):
            predict_texts(record.run_id, ["the film"], folder)


def test_a_language_model_s_prompt_is_made_of_new_texts(
    bases: dict[str, Path], make_spec: MakeSpec, tmp_path: Path
) -> None:
    """MNLI's prompt shows a column that its row makes; CommonsenseQA's second one shows the printed options."""
    pair = json.dumps({"premise": "the film is good", "hypothesis": "the plot is fine"})
    options = {"question": "is it good", "options": "A. very", "choices": ["A", "B"]}
    for task, template, text in (("mnli", 0, pair), ("commonsense_qa", 1, json.dumps(options))):
        spec = make_spec("zero_shot", "decoder", task={"name": task, "path": None}, prompt={"template": template})
        record = run(spec, tmp_path)
        assert record.status == "ok", record.reason
        assert predict_texts(record.run_id, [text], tmp_path)[0]["prediction"]
