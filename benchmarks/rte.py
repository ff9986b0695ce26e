"""RTE: does a text entail a statement? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="rte",
    source="Dagan et al. 2006, https://doi.org/10.1007/11736790_9",
    kind="classification",
    text=("sentence1", "sentence2"),
    target="label",
    labels=("entailment", "not_entailment"),
    templates=(
        "{sentence1}\nQuestion: {sentence2} True or False?\nAnswer:",
        "Premise: {sentence1}\nHypothesis: {sentence2}\nTrue or False:",
    ),
    verbalizers=(" True", " False"),
    descriptions=("The first text implies the second.", "The first text does not imply the second."),
    likeness=(1.0, 0.0),
    metrics=("accuracy",),
    hub=glue("rte"),
    version=2,  # similarity compares the two texts with each other
)
