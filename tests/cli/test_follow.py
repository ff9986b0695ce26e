"""What is told of jobs while they are done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.follow import follow, told
from harness.core.spec import parse_spec
from harness.executor import Event, Job
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from tests.search.stand_in import LORA, stand_in
from tests.synthetic import make_record


def test_studies_are_counted_with_those_that_were_done_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = SearchSpec(trials=2, sampler="random")
    study = search_cell(LORA, search, tmp_path, run_trial=stand_in)
    good, bad = Job(study.name, LORA, search), Job("other", LORA, search)
    follow([Event(good), Event(bad), Event(good, study), Event(bad, problem="out of\nluck")], 3, "studies", n_done=1)
    assert capsys.readouterr().err.splitlines() == [
        f"(2/3) {study.name}: 2 trials, trial {study.best[0]} is the best",
        "(3/3) failed other: out of luck",
    ]


def test_what_is_left_is_told_when_it_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Iterator[Event]:
        yield Event(Job("one", LORA))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(events(), 2, "cells")
    assert capsys.readouterr().err == "stopped with 2 of 2 cells left; the same command goes on from here\n"


def test_a_cell_is_told_of_by_its_label_and_recipes() -> None:
    record = Record.model_validate(make_record("lora", 3, label="my lora"))
    status, line = told(Event(Job(record.run_id, record.spec), record))
    assert status == "ok"
    assert f"ok {record.run_id} my lora sst2 minilm none seed 3: accuracy " in line
    trained = record.spec.model_dump(mode="json") | {"recipes": [{"name": "fgm"}, {"name": "ema"}]}
    other = record.model_copy(update={"spec": parse_spec(trained), "label": ""})
    assert " lora with fgm+ema sst2 " in told(Event(Job(other.run_id, other.spec), other))[1]
