"""Every executor that ships keeps the contract of executors, and so does the example."""

from importlib.util import find_spec
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.executor import EXECUTORS, make_executor
from harness.testing.executor import ExecutorContract


class TestLocal(ExecutorContract):
    plugin = "local"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own warnings are no faults of ours
@pytest.mark.skipif(not find_spec("ray"), reason="needs ray")
class TestRay(ExecutorContract):
    plugin = "ray"
    # Its processes are the cluster, too: what becomes of a killed worker is told in tests/executors/test_ray.py.
    has_processes = False


@pytest.mark.skipif(not find_spec("submitit"), reason="needs submitit")
class TestSlurm(ExecutorContract):
    """Without a cluster; with one in tests/executors/test_slurm.py."""

    plugin = "slurm"
    settings: ClassVar[dict[str, Any]] = {"cluster": "local", "workers": 2}


@pytest.mark.usefixtures("examples")
class TestExample(ExecutorContract):
    plugin = "fresh"

    def test_it_is_listed(self) -> None:
        assert "fresh " in CliRunner().invoke(app, ["list", "executors"]).output

    def test_a_setting_that_it_has_not_is_a_sentence(self) -> None:
        with pytest.raises(SpecError, match=r"unknown field 'executor\.fresh\.workers'; allowed: none"):
            make_executor("fresh", {"workers": 2})


def test_every_executor_is_held_by_it() -> None:
    held = {value.plugin for name, value in globals().items() if name.startswith("Test")}
    assert held - {"fresh"} == set(EXECUTORS.names())
