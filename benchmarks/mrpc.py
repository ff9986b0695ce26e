"""MRPC: do two sentences mean the same? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="mrpc",
    source="Dolan and Brockett 2005, https://aclanthology.org/I05-5002",
    kind="classification",
    text=("sentence1", "sentence2"),
    target="label",
    labels=("not_equivalent", "equivalent"),
    templates=(
        "Sentence 1: {sentence1}\nSentence 2: {sentence2}\nQuestion: Do both sentences mean the same thing?\nAnswer:",
        "{sentence1}\n{sentence2}\nParaphrase:",
    ),
    verbalizers=(" no", " yes"),
    descriptions=("The sentences mean different things.", "The sentences mean the same."),
    likeness=(0.0, 1.0),
    metrics=("accuracy", "f1"),
    hub=glue("mrpc", test="test"),
    version=2,  # similarity compares the two texts with each other
)
