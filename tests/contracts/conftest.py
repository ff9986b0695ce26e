"""Tiny products are fastest on one thread, above all on a busy machine; examples are there as if installed."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.executor import EXECUTORS
from harness.figure import FIGURES
from harness.formulation import FORMULATIONS
from harness.method import METHODS
from harness.metric import METRICS
from harness.probe import PROBES
from harness.recipe import RECIPES
from harness.task import TASKS
from tests.conftest import forget
from tests.methods.conftest import one_thread

__all__ = ["examples", "one_thread"]

REGISTRIES = (EXECUTORS, FIGURES, FORMULATIONS, METHODS, METRICS, PROBES, RECIPES, TASKS)
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="class")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package of examples as an installer leaves it: importable, and its entry points in its metadata."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLES / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = site / "harness_examples-0.1.0.dist-info"
    metadata.mkdir()
    groups = project["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in names.items()))]
    (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    sys.path[:0] = [str(site), str(EXAMPLES)]
    forget(*REGISTRIES)
    yield
    sys.path.remove(str(site))
    sys.path.remove(str(EXAMPLES))
    forget(*REGISTRIES)
