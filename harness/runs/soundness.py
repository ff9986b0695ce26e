"""Whether what a run asks and what it is answered can be right."""

import math
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from harness.bases.tokens import unknown_share
from harness.core.errors import NoResult
from harness.formulation import Answer, Row
from harness.metric import make_metric
from harness.task import Example, Task

N_READ = 200
"""Examples of a split whose texts are tokenized once more to see whether the base knows any of it."""


def check_asked(
    task: Task, tokenizer: PreTrainedTokenizerBase, split: str, asked: Sequence[Example], n_rows: int
) -> None:
    """Whether a split can be answered and judged.

    Raises:
        NoResult: it is empty, some examples became no row, the base knows none of its tokens, or one of the task's
            metrics is undefined on its targets.
    """
    if not asked or n_rows != len(asked):
        raise NoResult(f"{split}: {n_rows} of {len(asked)} examples can be asked")
    texts = [example.fields[column] for example in asked[:N_READ] for column in task.text if column in example.fields]
    if texts and unknown_share(tokenizer, tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]) == 1:
        raise NoResult(f"{split}: this base's tokenizer knows no token of the texts, such as {texts[0][:60]!r}")
    for name in task.metrics:
        reason = make_metric(name).undefined([example.target for example in asked])
        if reason:
            raise NoResult(f"{split}: {name} is undefined: {reason}; take more or other examples, or another metric")


def check_answers(rows: Sequence[Row], answers: Sequence[Answer]) -> None:
    """Whether every answer is one.

    Raises:
        NoResult: a number or a score is not a number.
    """
    for row, answer in zip(rows, answers, strict=True):
        values = [*answer.scores, *([answer.prediction] if isinstance(answer.prediction, float) else [])]
        if values and (any(map(math.isnan, values)) or math.isinf(max(values))):
            raise NoResult(f"the model's answer to example {row.example.id} is not a number: {values[:5]}")
