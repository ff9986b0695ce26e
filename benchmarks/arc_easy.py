"""ARC-Easy: science questions of school tests, with three to five choices."""

from harness.benchmarks._multiple_choice import labelled_choices
from harness.task import Hub, Task

TASK = Task(
    name="arc_easy",
    source="Clark et al. 2018, https://arxiv.org/abs/1803.05457",
    kind="multiple_choice",
    text=("question",),
    target="answer",
    templates=("Question: {question}\nAnswer:", "{question}"),
    metrics=("accuracy",),
    hub=Hub("allenai/ai2_arc", config="ARC-Easy", validation="validation", test="test"),
    row=labelled_choices,
)
