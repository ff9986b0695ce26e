"""Every registered formulation keeps to the contract that ships, and so does the example."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.formulation import FORMULATIONS
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.testing import contracts
from harness.testing.formulation import FormulationContract
from tests.conftest import MakeSpec

globals().update(contracts(FormulationContract, FORMULATIONS.names()))


@pytest.mark.usefixtures("examples")
class TestExample(FormulationContract):
    plugin = "ordinal"

    def test_it_is_listed(self) -> None:
        listed = CliRunner().invoke(app, ["list", "formulations"]).output
        assert "ordinal " in listed
        assert "similarity " in listed

    def test_a_run_of_it(self, make_spec: MakeSpec, tmp_path: Path) -> None:
        record = run(make_spec("full", formulation="ordinal", training={"epochs": 8, "learning_rate": 3e-3}), tmp_path)
        assert record.status == "ok", record.reason
        assert record.metrics["test/accuracy"] > 0.8
        stored = json.loads((tmp_path / "runs" / record.run_id / "record.json").read_text())
        assert stored["spec"]["formulation"] == "ordinal"


def test_a_formulation_is_a_registered_name_that_fits_the_task(make_spec: MakeSpec) -> None:
    with pytest.raises(SpecError, match="did you mean 'likelihood'"):
        resolve(make_spec("lora", formulation="likelyhood"))
    with pytest.raises(
        SpecError, match="classification task must be one of head, likelihood, mask, setfit, similarity"
    ):
        resolve(make_spec("lora", formulation="token_head"))
