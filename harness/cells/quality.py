"""What is to be known of a task's examples: balance, lengths, leakage, and what the stored runs make of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.data.leakage import loose_key
from harness.metrics._probabilities import log_probabilities
from harness.statistics.intervals import Floats
from harness.storage.predictions import Answers, Read
from harness.storage.record import Record
from harness.task import Example, Splits, Task

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SplitFacts:
    """One split: its size, label → share, words of its texts at the median and at 95 %, and texts that train has too.

    ``contradictions`` are examples whose text is there with another target as well.
    """

    size: int
    shares: Mapping[str, float]
    words_median: float
    words_p95: float
    in_train: int
    contradictions: int


def facts(task: Task, splits: Splits) -> dict[str, SplitFacts]:
    """Of each split; texts are compared by their letters and digits."""
    train = {loose_key(example) for example in splits.train}
    return {name: _facts(task, getattr(splits, name), train if name != "train" else set()) for name in SPLITS}


def _facts(task: Task, examples: Sequence[Example], train: set[str]) -> SplitFacts:
    counts = Counter(task.labels[one.target] for one in examples if task.labels and isinstance(one.target, int))
    words = [sum(len(one.fields[column].split()) for column in task.text) for one in examples]
    targets: defaultdict[str, set[object]] = defaultdict(set)
    for one in examples:
        targets[loose_key(one)].add(one.target)
    return SplitFacts(
        size=len(examples),
        shares={label: counts[label] / len(examples) for label in task.labels if counts},
        words_median=float(np.median(words)),
        words_p95=float(np.percentile(words, 95)),
        in_train=sum(loose_key(one) in train for one in examples),
        contradictions=sum(len(targets[loose_key(one)]) > 1 for one in examples),
    )


@dataclass(frozen=True)
class Judged:
    """What runs make of one held-out example: the share of methods that miss it, and a likelier label if there is one.

    A method misses it if most of its runs do. ``suspicion`` is how much likelier the other label is, 0 where the given
    one stands.
    """

    example: Example
    n_methods: int
    missed: float
    likelier: int | None
    suspicion: float


def judge_examples(task: Task, splits: Splits, records: Iterable[Record], read: Read) -> tuple[list[Judged], int]:
    """Held-out examples that runs answered, and the number of runs left out because they are of other examples.

    Raises:
        SpecError: a task without labels.
    """
    if task.kind != "classification":
        raise SpecError(f"examples are judged by their labels; {task.name} is {task.kind}")
    known = {one.id: one for one in (*splits.validation, *splits.test)}
    answers: defaultdict[str, list[tuple[str, Answers]]] = defaultdict(list)
    n_other = 0
    for run in records:
        if run.status == "ok" and run.spec.task.name == task.name:
            for split in ("validation", "test"):
                found = read(run, split)
                if found is not None and _fits(found, known):
                    answers[split].append((run.spec.method.name, found))
                else:
                    n_other += split == "test"
    return [one for split in answers for one in _judge(known, answers[split])], n_other


def _fits(answers: Answers, known: Mapping[str, Example]) -> bool:
    """Whether the examples that were answered are still these."""
    asked = zip(answers.example_ids.to_pylist(), answers.targets.tolist(), strict=True)
    return all(name in known and known[name].target == target for name, target in asked)


def _judge(known: Mapping[str, Example], answers: Sequence[tuple[str, Answers]]) -> list[Judged]:
    """Of the examples that all runs answered."""
    ids = sorted(set.intersection(*(set(found.example_ids.to_pylist()) for _, found in answers)))
    targets = np.array([known[name].target for name in ids])
    wrong: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
    probabilities = []
    for method, found in answers:
        places = {name: place for place, name in enumerate(found.example_ids.to_pylist())}
        at = found.at(np.array([places[name] for name in ids], dtype=np.int64))
        wrong[method].append(at.predictions != targets)
        if at.scores is not None:
            probabilities.append(np.exp(log_probabilities(at)))
    missed = np.mean([np.mean(runs, axis=0) > 0.5 for runs in wrong.values()], axis=0)
    labels, suspicion = suspects(np.mean(probabilities, axis=0), targets) if probabilities else (targets, missed * 0)
    return [
        Judged(
            known[name],
            len(wrong),
            float(missed[at]),
            int(labels[at]) if labels[at] != targets[at] else None,
            float(suspicion[at]),
        )
        for at, name in enumerate(ids)
    ]


def suspects(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """The label that confident learning has for each example, and how much likelier than the given one it is.

    A label is confident in an example whose probability of it is at least the mean over the examples given that label;
    of several the likeliest counts. Where none is, the given one stands.

    Args:
        probabilities: Of each label, held out from training, shape (N, L).
        targets: The given labels, shape (N,).

    Source:
        Northcutt et al. 2021, section 3.1, https://arxiv.org/abs/1911.00068
    """
    n_labels = probabilities.shape[1]
    given = [probabilities[targets == label, label] for label in range(n_labels)]
    thresholds = np.array([of_label.mean() if len(of_label) else np.inf for of_label in given])
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    labels = np.where(np.isfinite(confident).any(axis=1), confident.argmax(axis=1), targets)
    rows = np.arange(len(targets))
    return labels, probabilities[rows, labels] - probabilities[rows, targets]
