"""Whatever a user types or keeps in a file: a result, or a sentence and an exit code; never a traceback.

`make test` tries a few thousand examples, `FUZZ_EXAMPLES=100000 python -m pytest tests/fuzz` as many as that for each
property, as for a night.
"""

import json
import os
import string
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.core.errors import HarnessError, SpecError
from harness.core.spec import RunSpec, asked_for, parse_spec
from harness.data.own import own_task_named
from harness.runs.resolve import resolve
from harness.search.storage import open_storage
from harness.search.url import masked
from harness.storage.predictions import Answers, read_answers, write_predictions
from harness.storage.store import Store
from harness.suites.suite import read_suite
from tests.synthetic import make_record, write_grid, write_run

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "350"))
"""Of each property."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
slowly = settings(fuzzed, max_examples=max(1, EXAMPLES // 10))
"""For what starts a whole command or opens a database."""

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KNOWN = st.sampled_from(
    ["lora", "full", "sst2", "minilm", "none", "4bit", "fgm", "method", "training", "epochs", "rank", "seed", "recipe"]
)
WORD = KNOWN | TEXT
FIELDS = sorted({"x"} | {name for part in RunSpec.model_fields for name in [part]})
SCALAR = st.one_of(WORD, st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none())
ANY: st.SearchStrategy[Any] = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3), max_leaves=6
)


def refusal(function: Callable[..., Any], *arguments: Any) -> HarnessError | None:
    """What a user is told, or None where the input is taken; any other exception is a fault."""
    try:
        function(*arguments)
    except HarnessError as error:
        return error
    return None


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


SPEC = st.fixed_dictionaries(
    {"task": st.just({"name": "sst2"}), "method": st.just({"name": "lora"})},
    optional={
        "seed": st.integers(0, 2**64) | ANY,
        "training": st.dictionaries(
            st.sampled_from(["epochs", "batch_size", "learning_rate", "x"]), SCALAR, max_size=3
        ),
        "base": st.dictionaries(st.sampled_from(["name", "quantization", "max_length"]), SCALAR, max_size=2),
        "recipes": ANY,
        "formulation": ANY,
        "x": ANY,
    },
)


@fuzzed
@given(SPEC)
def test_a_spec_means_the_same_when_it_is_written_and_read_again(data: dict[str, Any]) -> None:
    try:
        spec = parse_spec(data)
    except SpecError:
        return
    assert "x" not in data
    assert parse_spec(json.loads(spec.model_dump_json())) == spec
    try:
        run = resolve(spec)
    except HarnessError:
        return
    assert resolve(run.spec).spec == run.spec


@fuzzed
@given(st.lists(st.builds("{}{}{}".format, WORD, st.sampled_from(["=", ".", "", ".rank=", ".fgm.epsilon="]), WORD)))
def test_assignments_set_a_field_or_are_refused(assignments: list[str]) -> None:
    named = {"method": {"name": "lora"}, "task": {"name": "sst2"}}
    refused = refusal(lambda: resolve(asked_for(named, assignments)))
    assert refused is None or refused.exit_code == 2


@fuzzed
@given(
    content=st.binary(max_size=200)
    | st.lists(st.builds("{} = {}".format, WORD, WORD | st.just('["sst2"]')), max_size=6)
)
def test_a_file_of_a_suite_is_one_or_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(content).encode())
    refused = refusal(read_suite, path)
    assert refused is None or (refused.exit_code == 2 and str(path) in str(refused))


CELL = st.sampled_from(["good", "bad", "", "1", '"', "a,b", "\r", "nan"]) | TEXT
OWN = ["text=a&target=b", "text=a&target=b&kind=regression", "text=a&target=b&kind=generation", "text=a&target=a"]


@fuzzed
@given(
    ending=st.sampled_from(["csv", "tsv", "jsonl", "parquet", "toml", "x"]),
    content=st.binary(max_size=100) | st.lists(st.tuples(CELL, CELL), max_size=8),
    query=st.sampled_from(OWN) | TEXT,
)
def test_a_task_of_ones_own_is_read_or_refused(ending: str, content: Any, query: str, tmp_path: Path) -> None:
    path = tmp_path / f"own.{ending}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps({"a": a, "b": b}) for a, b in content))
    else:
        path.write_text("\n".join(["a,b", *(f"{a},{b}" for a, b in content)]), newline="")
    refused = refusal(own_task_named, f"{path}?{query}")
    if refused:
        assert refused.exit_code == 2
        return
    task = own_task_named(f"{path}?{query}")
    assert isinstance(content, list)
    assert task.own
    assert 0 < len(task.own.splits["train"]) <= len(content)


@fuzzed
@given(data=st.data())
def test_a_damaged_record_is_read_or_left_out(data: st.DataObject, tmp_path: Path) -> None:
    record = make_record()
    path = tmp_path / "runs" / record["run_id"] / "record.json"
    place = data.draw(st.lists(st.sampled_from(sorted(record)), min_size=1, max_size=2))
    if not path.exists():
        write_run(tmp_path, record)
    path.write_text(json.dumps(record | {name: data.draw(ANY) for name in place}))
    for found in Store(tmp_path).records():
        assert found.run_id == path.parent.name
        found.metric()
        found.data.notes()


@fuzzed
@given(data=st.data())
def test_damaged_predictions_are_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions({"test": Answers.of([0, 1, 1, 0], [0, 1, 0, 0])}, path)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content)))
    content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(content)
    refused = refusal(read_answers, str(path), "test")
    assert refused is None or str(path) in str(refused)


URL = st.builds("{}{}{}".format, st.sampled_from(["sqlite:///", "sqlite://", "x://", "a+b://", "", ":"]), TEXT, TEXT)


@slowly
@given(url=URL)
def test_a_storage_is_opened_or_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    masked(url)

    def use() -> None:
        with open_storage(url, tmp_path / "studies", "study"):
            pass

    assert "\n" not in str(refusal(use))


OPTIONS = ["method", "task", "base", "set", "recipe", "seeds", "objectives", "constraint", "storage", "results"]
OPTIONS += ["rows", "columns", "compare", "costs", "where", "metric", "split", "format", "checkpoint", "average", "x"]
VALUE = WORD | st.sampled_from(["test", "training.epochs=2", "train_seconds", "seed=0", "method=lora", "latex", "csv"])
ARGUMENTS = st.lists(st.tuples(st.sampled_from(OPTIONS).map("--{}".format), VALUE) | st.tuples(VALUE), max_size=4).map(
    lambda parts: [word for part in parts for word in part]
)
COMMANDS = ["check", "list", "show", "table", "search", "suite", "card", "predict", "nonsense"]
# What would train is left to --dry-run.
DRY = {"search": ["--trials", "0"], "suite": ["--dry-run"], "predict": [], "check": []}


@slowly
@given(
    command=st.sampled_from(COMMANDS),
    arguments=ARGUMENTS,
    environment=st.dictionaries(
        st.sampled_from(["HARNESS_DATA_DIR", "HARNESS_MODEL_DIR", "HARNESS_CACHE_DIR"]),
        st.text(string.printable, max_size=9),
        max_size=2,
    ),
)
def test_a_command_ends_with_a_known_exit_code(
    command: str, arguments: list[str], environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (tmp_path / "results").exists():
        write_grid(tmp_path / "results", {"lora": 0.5, "full": 0.8}, n_seeds=3, n_examples=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["harness", command, *arguments, *DRY.get(command, [])])
        with pytest.raises(SystemExit) as end:
            main()
    told = capsys.readouterr().err
    assert end.value.code in (0, 1, 2), told
    assert "Traceback" not in told
    assert not end.value.code or told
