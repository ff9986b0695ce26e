"""MNLI's two test sets, matched and mismatched in genre with the training set, as two tasks."""

from collections.abc import Mapping
from typing import Any

from harness.benchmarks._glue import glue
from harness.task import Task


def mnli(
    name: str,
    genres: str,
    also_test: tuple[str, ...] = (),
    label_map: Mapping[str, tuple[int, ...]] | None = None,
) -> Task:
    """MNLI tested on one of ``matched`` and ``mismatched``."""
    return Task(
        name=name,
        source="Williams et al. 2018, https://arxiv.org/abs/1704.05426",
        kind="classification",
        text=("premise", "hypothesis"),
        target="label",
        labels=("entailment", "neutral", "contradiction"),
        templates=(
            "{premise}\nQuestion: {statement} True, False or Neither?\nAnswer:",
            "Premise: {premise}\nHypothesis: {hypothesis}\nTrue, False or Neither:",
        ),
        verbalizers=(" True", " Neither", " False"),
        descriptions=(
            "The first sentence implies the second.",
            "The sentences are about the same but independent.",
            "The sentences contradict each other.",
        ),
        metrics=("accuracy",),
        hub=glue("mnli", validation=f"validation_{genres}"),
        row=_with_statement,
        also_test=also_test,
        label_map=label_map or {},
    )


def _with_statement(row: dict[str, Any]) -> dict[str, Any]:
    """The hypothesis with a full stop, as lm-evaluation-harness asks it."""
    hypothesis = row["hypothesis"].strip()
    return {**row, "statement": hypothesis if hypothesis.endswith(".") else f"{hypothesis}."}
