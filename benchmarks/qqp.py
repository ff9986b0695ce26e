"""QQP: do two questions ask the same? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="qqp",
    source="Wang et al. 2019, section 3.2, https://arxiv.org/abs/1804.07461",
    kind="classification",
    text=("question1", "question2"),
    target="label",
    labels=("not_duplicate", "duplicate"),
    templates=(
        "Question 1: {question1}\nQuestion 2: {question2}\nQuestion: Do both questions ask the same thing?\nAnswer:",
        "{question1}\n{question2}\nDuplicate:",
    ),
    verbalizers=(" no", " yes"),
    descriptions=("The questions ask different things.", "The questions ask the same."),
    likeness=(0.0, 1.0),
    metrics=("accuracy", "f1"),
    hub=glue("qqp"),
    version=2,  # similarity compares the two texts with each other
)
