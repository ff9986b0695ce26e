"""What a linter says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fault = Literal[
    "cannot_train",
    "unequal_training",
    "unequal_passes",
    "unequal_data",
    "unequal_prompts",
    "unequal_computation",
    "unequal_tuning",
    "one_learning_rate",
    "unequal_rank",
    "unequal_params",
    "test_for_selection",
    "few_seeds",
    "few_examples",
    "few_validation_examples",
    "leakage",
    "mixed_fingerprints",
    "chosen_seeds",
    "lost_runs",
    "mixed_devices",
    "mixed_versions",
]


@dataclass(frozen=True)
class Finding:
    """Something that a reviewer would not accept, why, and what to change."""

    fault: Fault
    what: str
    reason: str
    remedy: str


def differing(values: Mapping[str, Any]) -> str | None:
    """Who has which value, if not all have the same."""
    if len({str(value) for value in values.values()}) < 2:
        return None
    return "; ".join(f"{label} {value}" for label, value in values.items())
