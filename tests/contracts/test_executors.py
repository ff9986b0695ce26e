"""Every executor that ships keeps the contract of executors, and so does the example."""

import pytest

from harness.executor import EXECUTORS, Executor
from harness.testing.executor import ExecutorContract
from tests.examples.harness_examples.executor import Fresh


class TestLocal(ExecutorContract):
    plugin = "local"


class TestExample(ExecutorContract):
    plugin = "fresh"

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Executor:
        return Fresh()


def test_every_executor_has_its_contract_here() -> None:
    tested = {contract.plugin for contract in ExecutorContract.__subclasses__()}
    assert tested >= set(EXECUTORS.names())
