"""Which study a command goes on with, and the files that studies are kept in."""

import json
import os
import random
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli.search import _run_command, print_study
from harness.core.errors import HarnessError, HarnessWarning, SpecError, StorageError
from harness.core.spec import RunSpec, parse_spec
from harness.figures.budget import budget_panels
from harness.libraries.optuna import sets_a_state
from harness.runs.resolve import resolve
from harness.search import journal as journal_module
from harness.search.journal import open_journal
from harness.search.plan import OnValidation, make_plan
from harness.search.record import StudyRecord, TrialRecord, best_trials, find_studies, read_study
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from harness.suites.suite import SuiteRun
from harness.suites.tune import find_study
from tests.search.stand_in import LORA, stand_in

TWO = SearchSpec(trials=2, sampler="random", pruner="none")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Forty sentences of two classes, in a folder whose name a shell would read in its own way."""
    folder = tmp_path / "my & your data"
    folder.mkdir()
    path = folder / "sentences.csv"
    words = ("good", "bad")
    path.write_text("text,label\n" + "".join(f"a {words[i % 2]} film number {i},{words[i % 2]}\n" for i in range(40)))
    return path


def spec_of(file: Path, more: str = "&metrics=accuracy") -> RunSpec:
    task = {"name": f"{file}?text=text&target=label{more}"}
    return parse_spec({"method": {"name": "lora"}, "task": task})


def test_other_examples_are_another_study_and_a_message_says_so(file: Path, tmp_path: Path) -> None:
    first = search_cell(spec_of(file), TWO, tmp_path, run_trial=stand_in)
    assert Path(first.name).name == first.name
    file.write_text(file.read_text().replace("number 7", "number seven"))
    _forget()
    assert find_study(cell_of(spec_of(file)), TWO, tmp_path) is None
    with pytest.warns(HarnessWarning, match=f"is new; {first.name} is of other examples"):
        second = search_cell(spec_of(file), TWO, tmp_path, run_trial=stand_in)
    assert second.name != first.name
    assert [trial.number for trial in second.trials] == [0, 1]
    assert read_study(tmp_path / "studies" / f"{first.name}.json") == first


def cell_of(spec: RunSpec) -> SuiteRun:
    return SuiteRun("lora", spec, resolve(spec))


def _forget() -> None:
    """What a new process doesn't know yet."""
    from harness.data import own
    from harness.runs import identity

    identity._fingerprint.cache_clear()
    for value in vars(own).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def test_metric_base_and_versions_are_part_of_a_study(
    file: Path, snapshots: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.method import METHODS

    spec = spec_of(file)
    specs = [spec, spec_of(file, "&metrics=mcc"), spec.updated(base={"name": str(snapshots["encoder"])})]
    names = {make_plan(each, TWO).name for each in specs}
    monkeypatch.setattr(METHODS.find("lora"), "version", 99)
    names.add(make_plan(spec, TWO).name)
    assert len(names) == 4
    assert make_plan(spec, TWO).name == make_plan(spec, SearchSpec(trials=9, sampler="random", pruner="none")).name


def test_the_printed_command_means_the_same_in_a_shell(file: Path, tmp_path: Path) -> None:
    study = search_cell(spec_of(file), TWO, tmp_path, run_trial=stand_in)
    words = shlex.split(_run_command(study, 0, ["prompt.template=0"], tmp_path / "the results"))
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options["--task"] == study.spec.task.name
    assert options["--results"] == str(tmp_path / "the results")
    assert "prompt.template=0" in words


def test_a_journal_cut_at_any_byte_of_its_last_line_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "whole.journal"
    storage = open_journal(path)
    storage.set_study_user_attr(storage.create_new_study([], "first"), "note", "text")
    content = path.read_bytes()
    start = content[:-1].rindex(b"\n") + 1
    for end in range(start + 1, len(content)):
        cut = tmp_path / f"{end}.journal"
        cut.write_bytes(content[:end])
        with pytest.warns(HarnessWarning, match="incomplete and was dropped"):
            storage = open_journal(cut)
        storage.create_new_study([], "next")
        assert [json.loads(line)["op_code"] for line in cut.read_bytes().splitlines()] == [0, 0]
        assert len(open_journal(cut).get_all_studies()) == 2


def test_a_study_whose_journal_is_cut_goes_on(tmp_path: Path) -> None:
    whole = search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    [path] = (tmp_path / "studies").glob("*.journal")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(HarnessWarning, match="incomplete"):
        study = search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    assert [trial.values for trial in study.trials] == [trial.values for trial in whole.trials]


def test_a_write_is_never_joined_to_a_line_torn_while_the_journal_is_open(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    storage = open_journal(path)
    storage.create_new_study([], "first")
    with path.open("ab") as file:
        file.write(b'{"op_code": 0, "worker' + b"x" * 10_000)
    with pytest.warns(HarnessWarning, match="incomplete"):
        storage.create_new_study([], "second")
    assert [study.study_name for study in open_journal(path).get_all_studies()] == ["first", "second"]


@pytest.mark.parametrize("content", ["", "\n", "text,label\n1,2\n", "{}\n{}\n", "[1]\n[2]\n", '{"op_code": 99}\n' * 2])
def test_a_journal_that_is_none_is_named(content: str, tmp_path: Path) -> None:
    name = make_plan(LORA, TWO).name
    path = tmp_path / "studies" / f"{name}.journal"
    path.parent.mkdir()
    path.write_text(content)
    if content:
        with pytest.raises(SpecError, match=f"{name}.journal is not a study's journal"):
            search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    else:
        assert len(search_cell(LORA, TWO, tmp_path, run_trial=stand_in).completed) == 2


def test_a_journal_that_is_a_folder_is_named(tmp_path: Path) -> None:
    name = make_plan(LORA, TWO).name
    (tmp_path / "studies" / f"{name}.journal").mkdir(parents=True)
    with pytest.raises(SpecError, match="can't write studies"):
        search_cell(LORA, TWO, tmp_path, run_trial=stand_in)


def test_a_full_disk_is_said_and_the_study_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = journal_module.Journal.append_logs

    def full(self: journal_module.Journal, logs: list[dict[str, Any]]) -> None:
        if sets_a_state(logs[0]):
            with open(self.path, "ab") as file:
                file.write(b'{"op_code":6,"wor')
            raise StorageError("No space left")
        append(self, logs)

    monkeypatch.setattr(journal_module.Journal, "append_logs", full)
    with pytest.raises(StorageError):
        search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    monkeypatch.undo()
    with pytest.warns(HarnessWarning, match="incomplete"):
        study = search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    assert [trial.number for trial in study.trials] == [0, 1]


DAMAGES = {
    "empty": lambda data: "",
    "list": lambda data: "[]",
    "no trials key": lambda data: json.dumps({key: value for key, value in data.items() if key != "trials"}),
    "another name": lambda data: json.dumps(data | {"name": "../../secret"}),
    "a best that is none": lambda data: json.dumps(data | {"best": [7]}),
    "values missing": lambda data: json.dumps(data | {"trials": [{**data["trials"][0], "values": []}], "best": [0]}),
    "trials null": lambda data: json.dumps(data | {"trials": None}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_study_is_left_out_and_named(damage: str, tmp_path: Path) -> None:
    study = search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    path = tmp_path / "studies" / f"{study.name}.json"
    path.write_text(DAMAGES[damage](json.loads(path.read_text())))
    with pytest.warns(HarnessWarning, match=study.name):
        assert find_studies(tmp_path) == []
    with pytest.raises(HarnessError, match="not a readable study"):
        find_studies(tmp_path, [study.name])
    with pytest.warns(HarnessWarning, match=study.name):
        assert find_study(cell_of(LORA), TWO, tmp_path) is None
    assert search_cell(LORA, TWO, tmp_path, run_trial=stand_in).trials == study.trials


def test_a_study_without_trials_draws_nothing(tmp_path: Path) -> None:
    study = search_cell(LORA, TWO, tmp_path, run_trial=stand_in)
    empty = StudyRecord.model_validate(study.model_dump() | {"trials": [], "best": []})
    assert budget_panels([empty]) == []
    with pytest.raises(HarnessError, match="has no trial 0"):
        print_study(empty, tmp_path)


@pytest.mark.parametrize("objectives", [("quality",), ("quality", "seconds")])
def test_wins_are_those_of_looking_at_every_beginning(objectives: tuple[str, ...], tmp_path: Path) -> None:
    """The definition, of quadratic cost: the best of the first n trials for every n."""
    search = SearchSpec(trials=40, sampler="random", pruner="none", objectives=objectives)  # type: ignore[arg-type]
    rng, ranks = random.Random(0), ("complete", "complete", "pruned", "failed")
    for _ in range(30):
        trials = [
            TrialRecord(
                number=number,
                status=rng.choice(ranks),  # type: ignore[arg-type]
                reason=None,
                params={},
                values=[float(rng.randint(0, 4)) for _ in objectives],
                run_ids=[],
                steps=0,
                seconds=0.0,
            )
            for number in range(12)
        ]
        study = StudyRecord(
            name="x", spec=LORA, search=search, metric="accuracy", trials=trials, best=[], is_finished=True
        )
        fronts = [best_trials(trials[:n], search, "accuracy") for n in range(1, len(trials) + 1)]
        expected = {front[0]: n for n, front in enumerate(fronts, 1) if len(front) == 1}
        assert study.n_trials_won == expected
        complete = [trial for trial in study.completed if trial.status == "complete"]
        if len(objectives) == 1 and complete:
            assert fronts[-1] == [max(complete, key=lambda trial: (trial.values[0], -trial.number)).number]


def test_a_budget_of_seconds_ends_when_local_time_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_runs = 0

    def run_trial(spec: RunSpec, on_validation: OnValidation) -> Record:
        nonlocal n_runs
        n_runs += 1
        assert n_runs < 20, "the budget is never spent"
        monkeypatch.setenv("TZ", f"UTC+{n_runs}")
        time.tzset()
        time.sleep(0.05)
        return stand_in(spec, on_validation)

    try:
        search = SearchSpec(budget_seconds=0.2, sampler="random", pruner="none")
        study = search_cell(LORA, search, tmp_path, run_trial=run_trial)
    finally:
        os.environ["TZ"] = "UTC"
        time.tzset()
    assert 2 <= len(study.trials) <= 6
    assert all(0 < trial.seconds < 5 for trial in study.trials)
