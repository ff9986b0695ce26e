"""Processes that share a study, over a journal file and over PostgreSQL, also when one is killed."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.core.errors import SpecError
from harness.search.record import StudyRecord
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.search.url import masked
from tests.search import postgres
from tests.search.processes import search_slowly, start
from tests.search.stand_in import LORA, stand_in

TRIALS = SearchSpec(trials=20, sampler="random", pruner="none")


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[str]:
    if postgres.find_programs() is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    if find_spec("psycopg") is None:
        pytest.skip("no PostgreSQL driver here: pip install psycopg[binary]")
    # A socket's path may have 107 bytes, which pytest's own folders use up.
    with tempfile.TemporaryDirectory() as folder, postgres.server(Path(folder)) as url:
        yield url


@pytest.fixture(params=["journal", "postgresql"])
def storage(request: pytest.FixtureRequest) -> str | None:
    """The default, or an empty database."""
    if request.param == "journal":
        return None
    return postgres.new_database(request.getfixturevalue("postgres_server"), request.node.originalname)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """One line for each run that ended."""
    return tmp_path / "log"


def finish(results: Path, storage: str | None) -> StudyRecord:
    """The study once more in this process: it must have nothing left to do."""
    return search_cell(LORA, TRIALS, results, storage=storage, run_trial=stand_in)


def assert_20_different_trials(study: StudyRecord) -> None:
    assert len(study.trials) == 20
    assert len({str(trial.params) for trial in study.trials}) == 20
    assert all(trial.status == "complete" for trial in study.trials)
    assert len({run_id for trial in study.trials for run_id in trial.run_ids}) == 20


def test_two_processes_share_20_trials(tmp_path: Path, storage: str | None, log: Path) -> None:
    processes = [start(search_slowly, tmp_path, TRIALS, storage, log) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert_20_different_trials(finish(tmp_path, storage))
    assert Counter(log.read_text().split()).most_common(1)[0][1] == 1


def test_survivor_takes_over_when_one_is_killed(tmp_path: Path, storage: str | None, log: Path) -> None:
    victim = start(search_slowly, tmp_path, TRIALS, storage, log)
    survivor = start(search_slowly, tmp_path, TRIALS, storage, log)
    while not log.exists() or len(log.read_text().split()) < 6:
        time.sleep(0.01)
    victim.kill()
    survivor.join()
    assert survivor.exitcode == 0
    assert_20_different_trials(finish(tmp_path, storage))
    assert Counter(log.read_text().split()).most_common(1)[0][1] <= 2


def test_unreachable_database_is_wrong_input_and_its_password_is_not_shown(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://user:secret@localhost:1/none"
    with pytest.raises(SpecError, match="can't use --storage") as error:
        search_cell(LORA, TRIALS, tmp_path, storage=url, run_trial=stand_in)
    assert "secret" not in str(error.value)
    assert masked("nonsense") == "nonsense"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_results_are_wrong_input(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SpecError, match="can't write studies"):
        search_cell(LORA, TRIALS, tmp_path / "results", run_trial=stand_in)
