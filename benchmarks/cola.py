"""CoLA: is a sentence acceptable English? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="cola",
    source="Warstadt et al. 2019, https://arxiv.org/abs/1805.12471",
    kind="classification",
    text=("sentence",),
    target="label",
    labels=("unacceptable", "acceptable"),
    templates=(
        "{sentence}\nQuestion: Does this sentence make sense?\nAnswer:",
        "Sentence: {sentence}\nGrammatical:",
    ),
    verbalizers=(" no", " yes"),
    descriptions=("This sentence is ungrammatical.", "This sentence is grammatical."),
    metrics=("mcc", "accuracy"),
    hub=glue("cola"),
)
