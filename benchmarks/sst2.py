"""SST-2: is a sentence of a film review positive? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="sst2",
    source="Socher et al. 2013, https://aclanthology.org/D13-1170",
    kind="classification",
    text=("sentence",),
    target="label",
    labels=("negative", "positive"),
    templates=(
        "Review: {sentence}\nSentiment:",
        "{sentence}\nQuestion: Is this sentence positive or negative?\nAnswer:",
    ),
    verbalizers=(" negative", " positive"),
    descriptions=("This is a negative film review.", "This is a positive film review."),
    metrics=("accuracy",),
    hub=glue("sst2"),
    overlaps=("rotten_tomatoes",),
)
