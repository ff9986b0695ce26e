"""Who may import whom, read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.registry import method_names, task_names

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "peft", "datasets", "optuna", "bitsandbytes", "accelerate"}
LAYERS = (
    ("errors", "files", "words"),
    ("toml",),
    ("spec", "space", "seeds", "template", "search.spec"),
    ("task", "method", "record"),
    ("assets", "hub", "metrics", "checkpoint", "peft_method", "registry", "store", "progress"),
    ("measure", "data", "bases", "identity"),
    ("suite", "plan", "evaluation", "search.record"),
    ("adapted", "training", "compare"),
    ("plain",),
    ("run", "export", "forecast", "workers"),
    ("search",),
    ("cli",),
    ("__main__",),
)
"""A module imports its own layer and those above it in this list. A folder counts as one, but for a contract in it."""

NEEDS_TORCH = {"adapted", "bases", "evaluation", "export", "forecast", "measure", "plain", "run", "search", "training"}
LIGHT_BASES = {f"bases/{name}.py" for name in ("anatomy", "info", "package", "shapes", "weights")}
LIGHT_ANYWAY = {*LIGHT_BASES, "measure/hardware.py"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > 5
    return found


def module_level_imports(path: Path) -> Iterator[str]:
    """Dotted names imported when the module is: not in functions, not for type checking."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                [f"harness.{alias.name}" for alias in node.names] if node.module == "harness" else [node.module]
            )


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def layer(name: str) -> int:
    """The layer of harness.x.y: that of ``x.y`` where it has one of its own, else of ``x``."""
    parts = name.split(".")[1:3]
    for candidate in (".".join(parts), parts[0]):
        for rank, names in enumerate(LAYERS):
            if candidate in names:
                return rank
    raise AssertionError(f"{name} has no place in LAYERS")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_light(path: Path) -> bool:
    if not path.is_relative_to(ROOT / "harness"):
        return True
    inside = path.relative_to(ROOT / "harness")
    return inside.parts[0].removesuffix(".py") not in NEEDS_TORCH or str(inside) in LIGHT_ANYWAY


LIGHT = [path for path in sources("harness", "methods", "benchmarks") if is_light(path)]
PUBLIC = ROOT / "harness" / "__init__.py"
"""What the package offers, from wherever it is."""


@pytest.mark.parametrize("path", [path for path in sources("harness") if path != PUBLIC], ids=shown)
def test_imports_go_one_way(path: Path) -> None:
    imported = {name for name in module_level_imports(path) if name.startswith("harness.")}
    wrong = {name for name in imported if layer(name) > layer(dotted(path))}
    assert not wrong, f"{dotted(path)} imports {wrong}"


@pytest.mark.parametrize("path", LIGHT, ids=shown)
def test_contracts_import_nothing_heavy(path: Path) -> None:
    heavy = HEAVY & {name.split(".")[0] for name in module_level_imports(path)}
    assert not heavy, f"{path.name} imports {heavy} when it is imported"


def test_methods_do_not_know_each_other() -> None:
    for path in sources("methods"):
        assert not [name for name in module_level_imports(path) if name.startswith("harness.methods")]


@pytest.mark.parametrize("path", sources("harness"), ids=shown)
def test_the_engine_compares_with_no_method_and_no_task(path: Path) -> None:
    named = _compared(path) & {*method_names(), *task_names()}
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
