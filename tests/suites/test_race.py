"""The race of a suite: its file, its plan, and that a killed one comes to the verdict of one that was not."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cells.race import RaceRecord, find_races
from harness.cli.suite import _print_plan
from harness.core.errors import SpecError
from harness.executor import attempt
from harness.storage.store import Store
from harness.suites.plan import Costs, plan
from harness.suites.race import Race
from harness.suites.race_power import chance_of_seeds
from harness.suites.suite import expand, parse_suite, read_suite

SUITE = """
bases = ["{base}"]
tasks = ["sst2"]
seeds = [0, 1, 2]
worth_claiming = 0.0001
[race]
looks = [2, 3]
[base]
max_length = 16
[task]
path = "{data}"
train_limit = 16
validation_limit = 16
test_limit = 40
[training]
max_steps = 4
batch_size = 8
precision = "fp32"
[methods.lora]
[methods.last_layers]
[methods.zero_shot]
"""


@pytest.fixture
def suite_file(snapshots: dict[str, Path], tiny_data: Path, tmp_path: Path) -> Path:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE.format(base=snapshots["encoder"], data=tiny_data))
    return file


def command(file: Path, results: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "harness", "suite", str(file), "--results", str(results), *more]


def call(file: Path, results: Path, *more: str) -> str:
    done = subprocess.run(command(file, results, *more), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill_after_first_run(file: Path, results: Path) -> None:
    process = subprocess.Popen(command(file, results), start_new_session=True, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "ok" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


def race_here(file: Path, results: Path) -> list[RaceRecord]:
    """The same without a command, in this process and to the end."""
    suite = read_suite(file)
    race = Race(suite, plan(expand(suite), Store(results)), results)
    for cells in race.rounds():
        for cell in cells:
            assert cell.job
            attempt(cell.job, results)
    return find_races(results)


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_verdict(suite_file: Path, tmp_path: Path) -> None:
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    kill_after_first_run(suite_file, stopped)
    assert [comparison.look for race in find_races(stopped) for comparison in race.comparisons] == [0]
    told = call(suite_file, stopped)
    [race] = race_here(suite_file, whole)
    assert find_races(stopped) == [race]
    [comparison] = race.comparisons
    assert comparison.end
    assert [cell.label for cell in comparison.cells] == ["lora", "last_layers"]
    assert f"race, sst2, {comparison.setting['base']}, none: {comparison.end} at look {comparison.look} of 2" in told
    n_runs = sum(record.status == "ok" for record in Store(stopped).records())
    assert n_runs == sum(cell.n_seeds for cell in comparison.cells)
    assert f"{n_runs} of 6 runs" in told


def test_a_plan_tells_the_most_and_what_is_expected(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    suite = parse_suite(RACE)
    planned = plan(expand(suite), Store(tmp_path))
    _print_plan(planned, Costs([]), 1, Race(suite, planned, tmp_path))
    told = capsys.readouterr().out
    assert "12 cells: 12 to run; at most: 12 unknown" in told
    assert re.search(r"race: about \d+ of them expected: 12 unknown, if the true scores of methods vary by 3", told)


RACE = {
    "tasks": ["rotten_tomatoes"],
    "seeds": [0, 1, 2, 3],
    "race": {"looks": [2, 4]},
    "methods": {"lora": {}, "adapters": {}, "zero_shot": {}},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"race": {"looks": [2, 3]}}, "the last look has all seeds, which are 4; got 3"),
        ({"race": {"looks": [3, 3, 4]}}, "must grow"),
        ({"race": {"looks": [1, 4]}}, "greater than or equal to 2"),
        ({"race": {"look": [2, 4]}}, "did you mean 'looks'"),
        ({"methods": {"lora": {}}}, "two methods or more"),
    ],
)
def test_a_wrong_race_is_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_suite({**RACE, **changes})


def test_before_the_first_look_its_seeds_are_wanted_and_the_rest_may_be(tmp_path: Path) -> None:
    suite = parse_suite(RACE)
    race = Race(suite, plan(expand(suite), Store(tmp_path)), tmp_path)
    now = race.now()
    assert [cell.spec.seed for cell in race.wanted(now)] == [0, 1] * 3
    chances = {id(cell): chance for cell, chance in race.chances(now)}
    of_lora = [chances.get(id(cell), 0.0) for cell in race.planned if cell.label == "lora"]
    assert of_lora[:2] == [1, 1]
    assert 0 < of_lora[2] == of_lora[3] < 1
    assert [cell.label for cell in now[0].comparisons[0].cells] == ["lora", "adapters", "zero_shot"]


def test_what_will_surely_be_asked_is_not_wanted_yet(tmp_path: Path) -> None:
    """A first look at two seeds of a tiny margin ends no simulated race."""
    suite = parse_suite({**RACE, "worth_claiming": 1e-6, "methods": {"lora": {}, "adapters": {}}})
    assert chance_of_seeds((2, 4), 2, 1e-6)[2] > 0.9
    race = Race(suite, plan(expand(suite), Store(tmp_path)), tmp_path)
    assert [cell.spec.seed for cell in race.wanted(race.now())] == [0, 1] * 2
    assert [cell.spec.seed for cell, _ in race.chances(race.now())] == [0, 1, 2, 3] * 2


def test_the_tasks_of_one_base_race_together_and_bases_apart(tmp_path: Path) -> None:
    suite = parse_suite({**RACE, "tasks": ["rotten_tomatoes", "trec"], "quantizations": ["none", "8bit"]})
    races = Race(suite, plan(expand(suite), Store(tmp_path)), tmp_path).now()
    assert [[each.setting["task"] for each in race.comparisons] for race in races] == [["rotten_tomatoes", "trec"]] * 2
    assert len({race.name for race in races}) == 2


def test_methods_race_those_with_as_many_training_examples(tmp_path: Path) -> None:
    suite = parse_suite({**RACE, "train_limits": [50, 100]})
    [race] = Race(suite, plan(expand(suite), Store(tmp_path)), tmp_path).now()
    assert [each.setting["train_limit"] for each in race.comparisons] == ["50", "100"]
    assert [len(each.cells) for each in race.comparisons] == [3, 3]


def test_runs_are_foretold_to_fall_from_look_to_look() -> None:
    by_seed = chance_of_seeds((3, 5, 8), 7, 0.02)
    assert by_seed[:3].tolist() == [1, 1, 1]
    assert 1 > by_seed[3] == by_seed[4] > by_seed[5] > 0
