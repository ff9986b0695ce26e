"""What a suite file means, and what it is told when it is wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import SpecError
from harness.method import METHODS
from harness.suites.suite import expand, parse_suite, read_suite

SMALL: dict[str, Any] = {
    "bases": ["minilm", "smollm2-135m"],
    "tasks": ["rotten_tomatoes"],
    "seeds": [0, 1],
    "training": {"epochs": 2},
    "methods": {"lora": {"rank": 4}, "full": {}},
}


def changed(**keys: Any) -> dict[str, Any]:
    return {**SMALL, **keys}


def test_cells_are_the_product_of_the_axes_base_by_base() -> None:
    cells = expand(parse_suite(SMALL))
    assert len(cells) == 2 * 1 * 2 * 2
    assert [cell.spec.base.name for cell in cells] == ["minilm"] * 4 + ["smollm2-135m"] * 4
    assert {cell.spec.training.epochs for cell in cells} == {2}
    assert {cell.spec.method.settings.get("rank") for cell in cells if cell.label == "lora"} == {4}


def test_a_method_overrides_the_shared_sections_for_itself_only() -> None:
    methods = {"lora": {"training": {"learning_rate": 1e-3}}, "full": {}}
    cells = expand(parse_suite(changed(methods=methods, bases=["minilm"], seeds=[0])))
    assert [cell.spec.training.learning_rate for cell in cells] == [1e-3, METHODS.find("full").learning_rate]
    assert [cell.spec.training.epochs for cell in cells] == [2, 2]


def test_folds_and_numbers_of_training_examples_are_axes() -> None:
    axes = {"folds": 3, "train_limits": [50, 100], "train_per_class": [8]}
    cells = expand(parse_suite(changed(bases=["minilm"], methods={"lora": {}}, **axes)))
    assert len(cells) == 3 * 2 * 3
    tasks = [cell.spec.task for cell in cells]
    assert {(task.folds, task.fold) for task in tasks} == {(3, 0), (3, 1), (3, 2)}
    assert {(task.train_limit, task.train_per_class) for task in tasks} == {(50, None), (100, None), (None, 8)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"folds": 1}, "folds: input should be greater than or equal to 2; got 1"),
        ({"task": {"folds": 5}}, "task.folds is set by the axes; remove it here"),
        (
            {"train_limits": [50], "task": {"train_limit": 9}},
            "task.train_limit is set by the axis of training examples",
        ),
        ({"folds": 5, "search": {"trials": 3, "seeds": [7]}}, "search and folds: settings tuned on one fold"),
    ],
)
def test_axes_that_clash_are_told(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_suite(changed(**keys))
    assert message in str(raised.value)


def test_one_method_under_several_labels() -> None:
    methods = {"lora": {}, "lora_16": {"name": "lora", "rank": 16}}
    cells = expand(parse_suite(changed(methods=methods, bases=["minilm"], seeds=[0])))
    assert [(cell.label, cell.spec.method.name, cell.spec.method.settings["rank"]) for cell in cells] == [
        ("lora", "lora", 8),
        ("lora_16", "lora", 16),
    ]


def test_cells_that_mean_the_same_run_are_one() -> None:
    methods = {"lora": {}, "lora_8": {"name": "lora", "rank": 8}, "zero_shot": {}, "zero-shot": {}}
    cells = expand(parse_suite(changed(methods=methods, bases=["minilm", "minilm"], seeds=[3, 3])))
    assert [cell.label for cell in cells] == ["lora", "zero_shot"]


def test_every_problem_is_reported_at_once_with_the_nearest_name() -> None:
    wrong = {
        "bases": ["minilm"],
        "quantizations": ["none", "int4"],
        "tasks": ["rotten_tomatos"],
        "seeds": [0, -1],
        "sead": 3,
        "training": {"epocs": 3, "batch_size": 0},
        "task": {"name": "sst2"},
        "methods": {
            "lora": {"rnak": 4, "trainign": {"epochs": 1}, "training": {"schedule": "linaer"}},
            "lorra": {},
            "other": {"name": 3},
        },
    }
    with pytest.raises(SpecError) as caught:
        parse_suite(wrong)
    problems = str(caught.value).splitlines()
    expected = [
        ("quantizations.1", "'int4' (did you mean '4bit'?)"),
        ("tasks:", "'rotten_tomatos' (did you mean 'rotten_tomatoes'?)"),
        ("seeds.1", "got -1"),
        ("'sead'", "did you mean 'seeds'?"),
        ("'training.epocs'", "did you mean 'epochs'?"),
        ("training.batch_size", "got 0"),
        ("task.name", "set by the axes"),
        ("methods.lora:", "did you mean 'rank'?"),
        ("'methods.lora.trainign'", "did you mean 'training'?"),
        ("methods.lora.training.schedule", "did you mean 'linear'?"),
        ("methods.lorra:", "did you mean 'lora'?"),
        ("methods.other.name", "got 3"),
    ]
    for where, what in expected:
        assert any(where in problem and what in problem for problem in problems), (where, what, problems)
    assert len(problems) == len(expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"tasks": ["rotten_tomatoes"]}, "methods is empty"),
        (changed(seeds=[]), "seeds is empty"),
        (changed(training=3), "training"),
        (changed(methods={"lora": {"training": 3}}), "methods.lora.training must be a table"),
        (changed(worth_claiming={"sst": 0.1}), "worth_claiming.sst"),
        (changed(worth_claiming=2.0), "worth_claiming.default: input should be less than 1; got 2.0"),
        (changed(methods=["lora"]), "methods: input should be a valid dictionary"),
        (changed(bases=3), "bases: input should be a valid list"),
    ],
)
def test_problems_of_the_whole_file(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_suite(data)


def test_unreadable_files_are_spec_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="can't read "):
        read_suite(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("bases = [")
    with pytest.raises(SpecError, match="not valid TOML"):
        read_suite(tmp_path / "bad.toml")


def test_planning_and_checking_import_no_torch() -> None:
    names = (
        "suites.suite",
        "suites.plan",
        "executor",
        "executors.local",
        "suites.outcome",
        "suites.tune",
        "suites.lint",
        "cli.suite",
        "cli.check",
    )
    modules = ", ".join(f"harness.{name}" for name in names)
    heavy = {"torch", "transformers", "peft", "datasets", "optuna"}
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert not {heavy} & set(sys.modules)"], check=True)


def test_a_setting_that_is_a_table_is_no_section() -> None:
    [cell] = expand(parse_suite({"tasks": ["rotten_tomatoes"], "methods": {"lora": {"rank_pattern": {"query": 4}}}}))
    assert cell.spec.method.settings["rank_pattern"] == {"query": 4}
    with pytest.raises(SpecError, match=r"unknown section 'methods\.lora\.rank_patern'"):
        parse_suite({"tasks": ["rotten_tomatoes"], "methods": {"lora": {"rank_patern": {"query": 4}}}})
