"""SST-2: is a sentence of a film review positive? Part of GLUE."""

from harness.task import Hub, Task

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
    hub=Hub("nyu-mll/glue", config="sst2", validation="validation"),
    overlaps=("rotten_tomatoes",),
)
