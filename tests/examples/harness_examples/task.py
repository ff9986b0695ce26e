"""Moods: is a sentence about a film glad or angry? In SST-2's columns."""

from harness.task import Hub, Task

TASK = Task(
    name="example_task",
    source="a paper, with its address: https://aclanthology.org/D13-1170",
    kind="classification",
    text=("sentence",),
    target="label",
    labels=("negative", "positive"),
    templates=("Review: {sentence}\nSentiment:", "{sentence}\nIs this negative or positive?"),
    verbalizers=(" negative", " positive"),
    descriptions=("This is a bad film.", "This is a great film."),
    metrics=("accuracy", "macro_f1"),
    hub=Hub("somebody/moods", validation="validation"),
)
