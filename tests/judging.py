"""Metrics on plain values."""

from collections.abc import Sequence
from typing import Any

from harness.metric import make_metric
from harness.storage.predictions import Answers


def compute(name: str, targets: Sequence[Any], predictions: Sequence[Any]) -> float:
    return make_metric(name).judge(Answers.of(targets, predictions))
