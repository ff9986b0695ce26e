"""HellaSwag: which of four endings continues a description?"""

import re
from typing import Any

from harness.task import Hub, Task


def _row(row: dict[str, Any]) -> dict[str, Any] | None:
    """Prompt and endings as lm-evaluation-harness makes them; the hub's test rows have no label."""
    if row["label"] == "":
        return None
    context = f"{row['ctx_a']} {row['ctx_b'].capitalize()}"
    return {
        "query": _clean(f"{row['activity_label']}: {context}"),
        "choices": [_clean(ending) for ending in row["endings"]],
        "label": int(row["label"]),
    }


def _clean(text: str) -> str:
    """Without the marks in brackets that WikiHow's articles left behind."""
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


TASK = Task(
    name="hellaswag",
    source="Zellers et al. 2019, https://arxiv.org/abs/1905.07830",
    kind="multiple_choice",
    text=("query",),
    target="label",
    templates=("{query}", "Continue the description.\n{query}"),
    metrics=("accuracy",),
    hub=Hub("Rowan/hellaswag", validation="validation"),
    row=_row,
)
