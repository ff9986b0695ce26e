"""Who may import whom, read from the syntax trees."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.method import METHODS
from harness.task import TASKS

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "peft", "datasets", "optuna", "bitsandbytes", "accelerate"}
LAYERS = (
    ("core",),
    ("fetching", "storage", "task"),
    ("method", "metric", "recipe"),
    ("bases",),
    ("formulation",),
    ("probe",),
    ("libraries",),
    ("metrics",),
    ("statistics",),
    ("data", "measure"),
    ("speed",),
    ("formulations", "recipes"),
    ("training", "probes"),
    ("runs",),
    ("search",),
    ("executor",),
    ("cells", "executors"),
    ("tables",),
    ("suites", "figure"),
    ("figures",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
"""The parts of harness/: one imports its own layer's others never, itself and those above it in this list freely."""

NEEDS_TORCH = {"bases", "formulations", "libraries", "measure", "runs", "search", "speed", "testing", "training"}
LIGHT_ANYWAY = {
    *("bases/info.py", "bases/package.py", "bases/shapes.py", "bases/anatomy.py", "measure/hardware.py"),
    *(
        "runs/resolve.py",
        "runs/identity.py",
        "runs/capability.py",
        "libraries/extras.py",
        "libraries/sacrebleu.py",
        "search/record.py",
        "search/spec.py",
    ),
    "speed/switches.py",
}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > 5
    return found


def module_level_imports(path: Path) -> Iterator[str]:
    """Dotted names imported when the module is: not in functions, not for type checking."""
    for node in ast.parse(path.read_text()).body:
        yield from imported(node)


def every_import(path: Path) -> Iterator[str]:
    """Dotted names imported anywhere in the module, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text())):
        yield from imported(node)


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from ([f"harness.{alias.name}" for alias in node.names] if node.module == "harness" else [node.module])


def layer(name: str) -> int:
    """The layer of harness.x or of harness.x.y: that of x."""
    part = name.split(".")[1]
    found = [rank for rank, names in enumerate(LAYERS) if part in names]
    assert found, f"{name} has no place in LAYERS"
    return found[0]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_light(path: Path) -> bool:
    if not path.is_relative_to(ROOT / "harness"):
        return path.parent.name != "methods" or not path.name.startswith("_")  # what only their hooks import
    inside = path.relative_to(ROOT / "harness")
    if inside.parts[0] in ("probes", "recipes") and path.name.startswith("_"):
        return False  # what only their hooks import
    return inside.parts[0].removesuffix(".py") not in NEEDS_TORCH or str(inside) in LIGHT_ANYWAY


LIGHT = [path for path in sources("harness", "methods", "benchmarks") if is_light(path)]
PUBLIC = ROOT / "harness" / "__init__.py"
"""What the package offers, from wherever it is."""


@pytest.mark.parametrize("path", [path for path in sources("harness") if path != PUBLIC], ids=shown)
def test_imports_go_one_way(path: Path) -> None:
    own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if own == "harness.__init__":
        return
    for name in every_import(path):
        if name.startswith("harness.") and name.split(".")[1] != own.split(".")[1]:
            assert layer(name) < layer(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", LIGHT, ids=shown)
def test_contracts_import_nothing_heavy(path: Path) -> None:
    heavy = HEAVY & {name.split(".")[0] for name in module_level_imports(path)}
    assert not heavy, f"{path.name} imports {heavy} when it is imported"


def test_methods_do_not_know_each_other() -> None:
    """What several share is a private module."""
    for path in sources("methods"):
        known = [name for name in module_level_imports(path) if name.startswith("harness.methods")]
        assert all(name.split(".")[2].startswith("_") for name in known)


@pytest.mark.parametrize("path", sources("harness"), ids=shown)
def test_the_engine_compares_with_no_method_and_no_task(path: Path) -> None:
    named = _compared(path) & {*METHODS.names(), *TASKS.names()}
    assert not named, f"{path.name} compares something with {named}"


def _compared(path: Path) -> set[str]:
    """String constants that a comparison or a match has on one side."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [constant for side in (node.left, *node.comparators) for constant in ast.walk(side)]
            found |= {side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)}
        elif isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            found.add(str(node.value.value))
    return found


def test_every_package_is_shipped() -> None:
    """An editable installation finds folders that a wheel would leave out."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "harness").rglob("__init__.py")}
    beside = {f"harness.benchmarks.{name}" for name in ("anchors", "suites")}
    assert sorted(listed) == sorted({*there, "harness.methods", "harness.benchmarks", *beside})
