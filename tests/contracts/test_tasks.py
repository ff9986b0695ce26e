"""What every registered task must satisfy, on rows in the hub's own schema."""

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from harness import data
from harness.core.errors import SourceError
from harness.core.spec import TaskSpec
from harness.data.protocol import text_hash
from harness.data.tasks import find_task
from harness.metrics.span_f1 import iob2_tags
from harness.task import TASKS, Example, Splits, Task
from harness.testing import contracts
from harness.testing.task import TaskContract, everything, is_answer, normalized_targets
from tests.hub_schema import Mirror, write_mirror
from tests.judging import compute

NAMES = TASKS.names()
Load = Callable[[str], Splits]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    root = tmp_path_factory.mktemp("mirrors")
    return Mirror(write_mirror(root / "a"), write_mirror(root / "b", shift=1))


def load_from(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Splits:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(root))
    splits, info = data.load(find_task(name), TaskSpec(name=name), seed=0)
    assert info.source.startswith("mirror")
    return splits


@pytest.fixture
def load(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Load:
    return lambda name: load_from(mirror.root, name, monkeypatch)


class TaskOfAMirror(TaskContract):
    @pytest.fixture
    def splits(self, task: Task, load: Load) -> Splits:
        return load(task.name)

    def test_it_is_on_the_hub_and_asks_in_two_ways(self, task: Task) -> None:
        assert task.hub
        assert len(set(task.templates)) >= 2 or task.kind == "regression"


globals().update(contracts(TaskOfAMirror, NAMES))


@pytest.mark.usefixtures("examples")
class TestExample(TaskContract):
    plugin = "example_task"

    @pytest.fixture
    def splits(self, task: Task, tiny_data: Path) -> Splits:
        return data.load(task, TaskSpec(name=task.name, path=str(tiny_data)), seed=0)[0]


def test_there_are_tasks() -> None:
    assert len(NAMES) >= 28


@pytest.mark.parametrize("name", NAMES)
def test_related_tasks_exist_and_agree(name: str) -> None:
    task = find_task(name)
    for other in map(find_task, task.also_test):
        assert (other.kind, len(other.text)) == (task.kind, len(task.text))
        labels = task.label_map.get(other.name, range(len(task.labels)))
        assert len(labels) == len(task.labels)
        assert set(labels) == set(range(len(other.labels)))
        assert other.name in task.label_map or other.labels == task.labels
        assert other.name not in task.overlaps
    assert set(task.label_map) <= set(task.also_test)
    for overlapping in map(find_task, task.overlaps):
        assert name in overlapping.overlaps


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_depends_on_the_target_in_nothing(
    name: str, mirror: Mirror, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {example.id: example for example in everything(load(name))}
    after = {example.id: example for example in everything(load_from(mirror.other_targets, name, monkeypatch))}
    assert before.keys() == after.keys()
    assert all(before[key].target != after[key].target for key in before)
    for key in before:
        assert prompts(find_task(name), before[key]) == prompts(find_task(name), after[key])
        assert (before[key].fields, before[key].tokens) == (after[key].fields, after[key].tokens)


def prompts(task: Task, example: Example) -> list[str]:
    return [template.format_map(example.fields) for template in task.templates] + list(example.choices)


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_predictor_scores_the_maximum(name: str, load: Load) -> None:
    task = find_task(name)
    targets = normalized_targets(task, load(name).test)
    assert {metric: compute(metric, targets, targets) for metric in task.metrics} == {
        metric: pytest.approx(1.0) for metric in task.metrics
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_predictor_scores_the_known_floor(name: str, load: Load) -> None:
    task = find_task(name)
    targets = normalized_targets(task, load(name).test)
    predictions = constant_predictions(task, targets)
    share = Counter(targets)[1] / len(targets) if task.kind in ("classification", "multiple_choice") else 0.0
    f1 = 2 * share / (1 + share)
    floors = {"accuracy": share, "f1": f1, "macro_f1": f1 / max(1, len(set(targets)))}
    for metric in task.metrics:
        assert compute(metric, targets, predictions) == pytest.approx(floors.get(metric, 0.0))


def constant_predictions(task: Task, targets: list[Any]) -> list[Any]:
    if task.kind == "token_classification":
        return [(0,) * len(target) for target in targets]
    constants = {"regression": 2.5, "generation": ""}
    return [constants.get(task.kind, 1)] * len(targets)


@pytest.mark.parametrize("name", [name for name in NAMES if find_task(name).kind == "token_classification"])
def test_tags_are_in_the_order_that_span_f1_expects(name: str) -> None:
    labels = find_task(name).labels
    kinds = {tag: label[2:] for tag, label in enumerate(labels)}
    for tag, text in enumerate(iob2_tags([range(len(labels))])[0]):
        assert text[0] == labels[tag][0]
        assert tag == 0 or kinds[2 * int(text[2:])] == kinds[tag]


LM_EVAL = {  # task: its file in lm-evaluation-harness, and the index of our template
    "piqa": ("piqa/piqa.yaml", 0),
    "arc_easy": ("arc/arc_easy.yaml", 0),
    "arc_challenge": ("arc/arc_easy.yaml", 0),
    "openbookqa": ("openbookqa/openbookqa.yaml", 0),
    "commonsense_qa": ("commonsense_qa/default.yaml", 1),
    "boolq": ("super_glue/boolq/default.yaml", 0),
    "sst2": ("glue/sst2/default.yaml", 1),
    "gsm8k": ("gsm8k/gsm8k.yaml", 0),
    **{name: (f"glue/{name}/default.yaml", 0) for name in ("cola", "mrpc", "qqp", "qnli", "rte", "wnli")},
}


@pytest.mark.parametrize("name", LM_EVAL)
def test_prompts_and_choices_are_those_of_lm_evaluation_harness(name: str, load: Load, mirror: Mirror) -> None:
    import lm_eval.tasks

    file, index = LM_EVAL[name]
    config = read_yaml(Path(lm_eval.tasks.__file__).parent / file)
    task, rows = find_task(name), source_rows(find_task(name), mirror.root)
    for example in load(name).test[:5]:
        row = rows[example.id]
        question = config["doc_to_text"]
        expected = Environment().from_string(question).render(row) if "{{" in question else row[question].strip()
        assert task.templates[index].format_map(example.fields) == expected
        choices = config.get("doc_to_choice", [])
        if isinstance(choices, list) and index == 0 and task.kind == "classification":
            assert task.verbalizers == tuple(f" {choice}" for choice in choices)


@pytest.mark.parametrize("name", ["hellaswag", "mnli"])
def test_prompts_that_lm_evaluation_harness_computes(name: str, load: Load, mirror: Mirror) -> None:
    from lm_eval.tasks.glue.mnli.utils import doc_to_text
    from lm_eval.tasks.hellaswag.utils import preprocess

    task, rows = find_task(name), source_rows(find_task(name), mirror.root)
    for example in load(name).test[:5]:
        row = rows[example.id]
        if name == "mnli":
            expected = doc_to_text(row)
        else:
            expected = preprocess(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
            assert list(example.choices) == [preprocess(ending) for ending in row["endings"]]
        assert prompts(task, example)[0] == expected


def source_rows(task: Task, root: Path) -> dict[str, dict[str, Any]]:
    """Stripped rows as the hub has them, by example id."""
    import pyarrow.parquet as pq

    from harness.data.sources import hub_splits

    assert task.hub
    folder = root / task.hub.id / task.hub.config
    rows = {
        f"{split}/{number}": row
        for split, name in hub_splits(task.hub).items()
        for number, row in enumerate(pq.read_table(folder / f"{name}.parquet").to_pylist())
    }
    return {key: {c: v.strip() if isinstance(v, str) else v for c, v in row.items()} for key, row in rows.items()}


def read_yaml(file: Path) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        """Ignores functions, which none of these prompts needs."""

    Loader.add_constructor("!function", lambda loader, node: None)
    return yaml.load(file.read_text(), Loader)


SIZES = {  # train before anything is carved or dropped, validation, test: the hub's, and the package assets' (DESIGN 6)
    "mirror": {
        "sst2": (67349, 0, 872),
        "cola": (8551, 0, 1043),
        "rte": (2490, 0, 277),
        "stsb": (5749, 1500, 1379),
        "trec": (5452, 0, 500),
        "trec_fine": (5452, 0, 500),
        "banking77": (10003, 0, 3080),
        "boolq": (9427, 0, 3270),
        "wnut17": (3394, 1009, 1287),
        "gsm8k": (7473, 0, 1319),
        "multi30k_en_de": (29000, 1014, 1000),
    },
    "asset": {
        "rotten_tomatoes": (8530, 0, 0),
        "imdb": (25000, 0, 0),
        "bbc_news": (2225, 0, 0),
        "sms_spam": (4837, 0, 0),
        "trec": (5452, 0, 0),
        "trec_fine": (5452, 0, 0),
        "boolq": (9427, 0, 3270),
        "commonsense_qa": (1220, 0, 0),
        "openbookqa": (500, 0, 0),
        "piqa": (1500, 0, 0),
        "xsum": (1000, 0, 0),
    },
}
check_source = partial(pytest.mark.parametrize, "name")


def test_every_package_asset_has_its_size_here() -> None:
    assert {name for name in NAMES if find_task(name).asset} == set(SIZES["asset"])


@check_source(SIZES["mirror"])
def test_real_data_of_a_mirror(name: str) -> None:
    if not os.environ.get("HARNESS_DATA_DIR"):
        pytest.skip("HARNESS_DATA_DIR is not set")
    check_real(name, "mirror")


@check_source(SIZES["asset"])
def test_real_data_of_a_package_asset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    monkeypatch.setattr("harness.data.sources.hub_problem", lambda: "the hub is left out here")
    check_real(name, "asset")


def check_real(name: str, source: str) -> None:
    task = find_task(name)
    try:
        splits, info = data.load(task, TaskSpec(name=name), seed=0)
    except SourceError as error:
        if "package index" in str(error):
            pytest.skip(str(error))
        raise
    assert info.source.startswith(source)
    assert sum(info.sizes.values()) + info.dropped_duplicates == sum(SIZES[source][name])
    assert info.protocol == ("official" if SIZES[source][name][2] else "carved")
    if SIZES[source][name][2]:
        assert info.sizes["test"] == SIZES[source][name][2]
    hashes = [{text_hash(example) for example in part} for part in (splits.train, splits.validation, splits.test)]
    assert not hashes[0] & hashes[1] | hashes[0] & hashes[2] | hashes[1] & hashes[2]
    assert all(is_answer(task, example) for example in everything(splits))
    if task.kind == "classification":
        assert {example.target for example in splits.train} == set(range(len(task.labels)))
