"""Every recipe that ships keeps to the contract of recipes, and so does the example."""

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.recipe import RECIPES
from harness.testing import contracts
from harness.testing.recipe import RecipeContract

GENERAL = Path(__file__).parents[1] / "probes" / "general.csv"

OWN = {"canaries", "multi_task", "swa"}
"""Recipes whose defaults are for longer runs than these, or that need a task."""

globals().update(contracts(RecipeContract, [name for name in RECIPES.names() if name not in OWN]))


class TestSWA(RecipeContract):
    plugin = "swa"
    settings: ClassVar[dict[str, Any]] = {"start": 0.25}
    """By default only the last of so few steps would count."""


class TestCanaries(RecipeContract):
    plugin = "canaries"
    settings: ClassVar[dict[str, Any]] = {"number": 2, "repeats": 2}


class TestMultiTask(RecipeContract):
    plugin = "multi_task"
    settings: ClassVar[dict[str, Any]] = {"others": [f"{GENERAL}?text=text&target=kind"]}


@pytest.mark.usefixtures("examples")
class TestExample(RecipeContract):
    plugin = "confidence_penalty"

    def test_it_is_listed(self) -> None:
        assert "confidence_penalty " in CliRunner().invoke(app, ["list", "recipes"]).output


def test_recipes_import_no_torch() -> None:
    code = (
        "import sys; from harness.recipe import RECIPES; "
        "[RECIPES.find(name)().space() for name in RECIPES.names()]; "
        "print(*{'torch', 'transformers', 'peft'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
