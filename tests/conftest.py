"""Fixtures that several test modules share."""

import os

# Tiny models gain nothing from threads, and two processes that spin for each other's cores lose minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.plugins import Registry
from harness.core.spec import RunSpec, merge, parse_spec
from harness.method import METHODS
from harness.probe import PROBES
from harness.recipe import RECIPES
from harness.task import TASKS

MakeSpec = Callable[..., RunSpec]


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny base of every kind."""
    from harness.testing.snapshots import save_snapshot

    root = tmp_path_factory.mktemp("bases")
    return {kind: save_snapshot(kind, root / kind) for kind in ("encoder", "decoder", "encoder_decoder")}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task that the tiny bases can learn, in SST-2's columns."""
    from harness.testing.snapshots import save_data

    return save_data(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture
def make_spec(snapshots: dict[str, Path], tiny_data: Path) -> MakeSpec:
    """A spec on the tiny data, the same on every processor: ``make_spec("lora", kind="encoder", **sections)``."""

    def make(name: str = "lora", kind: str = "encoder", **sections: Any) -> RunSpec:
        tiny = {
            "method": {"name": name},
            "base": {"name": str(snapshots[kind])},
            "task": {"name": "sst2", "path": str(tiny_data)},
            "training": {"epochs": 2, "batch_size": 16, "precision": "fp32"},
        }
        return parse_spec(merge(tiny, sections))

    return make


TOY_METHOD = '''"""A toy method."""
from typing import ClassVar
from harness.method import Method

class Toy(Method):
    """Train the head, and do one thing more."""
    source: ClassVar[str] = "nobody"
    learning_rate: ClassVar[float] = 1e-3

    def apply(self, model, context):
        {body}
        model.requires_grad_(False)
        for name in context.head_names:
            model.get_submodule(name).requires_grad_(True)
        return model
'''

Register = Callable[[str, str, str], None]


def forget(*registries: Registry[Any]) -> None:
    """Let registries look again at what there is."""
    for registry in registries:
        vars(registry).pop("_places", None)


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Add one file to the folder of a kind of plug-in: its text, or the lines of a toy method's ``apply``."""
    import harness.benchmarks
    import harness.methods
    import harness.probes
    import harness.recipes

    packages = {
        "methods": harness.methods,
        "benchmarks": harness.benchmarks,
        "probes": harness.probes,
        "recipes": harness.recipes,
    }
    registries = (METHODS, TASKS, PROBES, RECIPES)

    def add(kind: str, name: str, text: str) -> None:
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        whole = text if "class " in text or kind == "benchmarks" else TOY_METHOD.format(body=text)
        (folder / f"{name}.py").write_text(whole)
        monkeypatch.setattr(packages[kind], "__path__", [*packages[kind].__path__, str(folder)])
        forget(*registries)

    yield add
    forget(*registries)
    for name in [name for name in sys.modules if str(tmp_path) in str(getattr(sys.modules[name], "__file__", ""))]:
        del sys.modules[name]
