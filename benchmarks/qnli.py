"""QNLI: does a sentence answer a question? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="qnli",
    source="Wang et al. 2019, section 3.3, https://arxiv.org/abs/1804.07461",
    kind="classification",
    text=("question", "sentence"),
    target="label",
    labels=("entailment", "not_entailment"),
    templates=(
        "{question}\n{sentence}\nQuestion: Does this response answer the question?\nAnswer:",
        "Question: {question}\nSentence: {sentence}\nIs the question answered:",
    ),
    verbalizers=(" yes", " no"),
    descriptions=("The sentence answers the question.", "The sentence does not answer the question."),
    metrics=("accuracy",),
    hub=glue("qnli"),
)
