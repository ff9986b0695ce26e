"""Why a stored run answers a text as it does: the weight of each word."""

from pathlib import Path

import torch

from harness.core.errors import SpecError
from harness.probes._attribution import ATTRIBUTIONS
from harness.probes._texts import words_of
from harness.runs.examined import subject_of
from harness.runs.export import example_of, load_run, prepare
from harness.runs.resolve import resolve
from harness.storage.explanations import Explained
from harness.task import Splits


def explain_text(run_id: str, text: str, attribution: str, results: Path) -> Explained:
    """The answer to a text, and what each word of its first field does for it by one of ``ATTRIBUTIONS``.

    Raises:
        SpecError: a task without labels, or a text that is not the task's.
        Unsupported: gradients are wanted of a model without a head.
    """
    record, task, adapted = load_run(run_id, results)
    if task.kind not in ("classification", "multiple_choice"):
        raise SpecError(f"only labels and choices are explained; {task.name} is {task.kind}")
    example = example_of(task, adapted, text)
    with torch.no_grad():
        prepare(record, adapted)
    subject = subject_of(resolve(record.spec, task), adapted, Splits([], [], []), None)
    label = int(subject.answer([example]).predictions[0])
    weights = ATTRIBUTIONS[attribution](subject, example, label)
    names = task.labels or example.choices
    return Explained(
        text=text,
        attribution=attribution,
        prediction=names[label],
        words=tuple(words_of(task, example)),
        weights=tuple(map(float, weights)),
    )
