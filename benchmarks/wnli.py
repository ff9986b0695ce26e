"""WNLI: does a sentence entail itself with a pronoun resolved? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="wnli",
    source="Levesque et al. 2012, https://cdn.aaai.org/ocs/4492/4492-21843-1-PB.pdf",
    kind="classification",
    text=("sentence1", "sentence2"),
    target="label",
    labels=("not_entailment", "entailment"),
    templates=(
        "{sentence1}\nQuestion: {sentence2} True or False?\nAnswer:",
        "Premise: {sentence1}\nHypothesis: {sentence2}\nTrue or False:",
    ),
    verbalizers=(" False", " True"),
    descriptions=("The first text does not imply the second.", "The first text implies the second."),
    metrics=("accuracy",),
    hub=glue("wnli"),
)
