"""GSM8K: arithmetic word problems, answered step by step."""

import re

from harness.task import Hub, Task


def final_number(answer: str) -> str:
    """The number after ``####`` without commas, or ``[invalid]``.

    Source: extract_answer in the data's own repository, https://github.com/openai/grade-school-math
    """
    found = re.search(r"#### (-?[0-9.,]+)", answer)
    return found[1].replace(",", "") if found else "[invalid]"


TASK = Task(
    name="gsm8k",
    source="Cobbe et al. 2021, https://arxiv.org/abs/2110.14168",
    kind="generation",
    text=("question",),
    target="answer",
    templates=(
        "Question: {question}\nAnswer:",
        "Solve the problem step by step. End with #### and the final number.\n\nQuestion: {question}\nAnswer:",
    ),
    metrics=("exact_match",),
    hub=Hub("openai/gsm8k", config="main", test="test"),
    max_new_tokens=256,
    stop=("\nQuestion:",),
    answer=final_number,
)
