"""The canary sings the same on this machine, and falls silent where results have moved."""

import pytest
from typer.testing import CliRunner

from harness import data
from harness.cli.app import app
from harness.core.spec import TaskSpec
from harness.data.tasks import find_task
from harness.suites import canary
from tests import real


@pytest.fixture(autouse=True)
def assets() -> None:
    real.base("minilm")
    with real.needed():
        data.load(find_task("rotten_tomatoes"), TaskSpec(name="rotten_tomatoes"), 0)


def test_this_stack_gives_what_the_reference_says() -> None:
    done = CliRunner().invoke(app, ["doctor", "--canary"])
    assert done.exit_code == 0, done.output
    assert "canary test_nll" in done.stdout


def test_a_result_that_moved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {kind: {**entry, "test_nll": entry["test_nll"] + 0.05} for kind, entry in canary.references().items()}
    monkeypatch.setattr(canary, "references", lambda: moved)
    found = canary.canary()
    assert not found.is_alive
    assert found.drift == pytest.approx(0.05, abs=0.02)
