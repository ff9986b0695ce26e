"""Stored runs are found again: ids of specs are fixed, and a default that changes raises the version of its owner.

``python -m tests.suites.test_fixed_ids`` writes the defaults anew, after the versions were raised.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.spec import BaseSpec, EvaluationSpec, PromptSpec, Section, TaskSpec, TrainingSpec, parse_spec
from harness.formulation import FORMULATIONS
from harness.method import METHODS
from harness.probe import PROBES
from harness.recipe import RECIPES
from harness.runs.identity import run_id
from harness.runs.resolve import resolve

DEFAULTS = Path(__file__).parent / "defaults.json"
SECTIONS: tuple[type[Section], ...] = (BaseSpec, TaskSpec, TrainingSpec, PromptSpec, EvaluationSpec)
FIXED: dict[str, dict[str, Any]] = {
    "064d72c62206": {"method": {"name": "lora"}},
    "bca4d4b593c2": {"method": {"name": "lora", "rank": 4}, "training": {"learning_rate": 1e-4}},
    "e461b57760f7": {"method": {"name": "zero_shot"}, "base": {"name": "smollm2-135m", "quantization": "4bit"}},
    "a524e65d5cc0": {
        "method": {"name": "full"},
        "recipes": [{"name": "ema"}, {"name": "fgm", "epsilon": 0.5}],
        "seed": 7,
    },
}
"""run_id → spec, in fp32 on examples "e" and weights "w". A change here orphans every stored run."""


@pytest.mark.parametrize("expected", FIXED)
def test_ids_are_fixed(expected: str) -> None:
    given = {"task": {"name": "sst2"}, **FIXED[expected]}
    given["training"] = {"precision": "fp32", **given.get("training", {})}
    assert run_id(resolve(parse_spec(given)), "e", "w") == expected


def defaults() -> dict[str, dict[str, Any]]:
    """Version and default fields of every section and of every plug-in that a spec names."""
    owners: dict[str, Any] = {section.__name__: section for section in SECTIONS}
    for registry in (METHODS, RECIPES, PROBES, FORMULATIONS):
        owners |= {f"{registry.what} {name}": registry.find(name) for name in registry.names()}
    return {name: {"version": owner.version, "fields": _fields(owner)} for name, owner in sorted(owners.items())}


def _fields(owner: Any) -> dict[str, str]:
    fields = {name: repr(info.get_default(call_default_factory=True)) for name, info in owner.model_fields.items()}
    rate = getattr(owner, "learning_rate", None)
    return fields if rate is None else {**fields, "learning_rate": repr(rate)}


def test_a_default_that_changes_raises_a_version() -> None:
    """A new field, or a new plug-in, needs none."""
    before, now = json.loads(DEFAULTS.read_text(encoding="utf-8")), defaults()
    for owner in before.keys() & now.keys():
        kept = before[owner]["fields"].keys() & now[owner]["fields"].keys()
        same = {name: now[owner]["fields"][name] for name in kept} == {
            name: before[owner]["fields"][name] for name in kept
        }
        assert same or now[owner]["version"] > before[owner]["version"], owner


if __name__ == "__main__":
    DEFAULTS.write_text(json.dumps(defaults(), indent=1) + "\n", encoding="utf-8")
