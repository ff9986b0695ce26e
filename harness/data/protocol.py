"""Which examples are trained on, selected on and tested on."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SourceError, SpecError
from harness.core.seeds import derive
from harness.core.spec import TaskSpec
from harness.task import Example, Splits, Task

CARVED_VALIDATION = (0.1, 1000)
"""Share of train that becomes validation where a task has none to spare, and at most how many texts."""

CARVED_TEST = (0.2, 2000)
"""The same for test: larger, because the differences between methods are claimed on it."""

Protocol = Literal["official", "carved", "folds"]
Hashed = list[tuple[bytes, Example]]


def split(task: Task, found: Mapping[str, list[Example]]) -> tuple[Splits, Protocol, int]:
    """Train, validation and test from what a source has, with the protocol and the number of duplicates dropped.

    Where test is absent or unlabelled (empty), a data set's validation becomes the test; where both are, or where
    a user names the files, the test is carved from train. A missing validation is always carved from train. Examples
    of train whose text is in validation or test, and examples of validation whose text is in test, are dropped and
    counted.

    Raises:
        SourceError: nothing is left of a split, or train has too few different texts to split.
    """
    train, validation, test = (_hashed(found.get(name, [])) for name in ("train", "validation", "test"))
    if not test and task.own is None:
        validation, test = [], validation
    protocol: Protocol = "official" if test else "carved"
    n_found = len(train), len(validation)
    validation = _without(validation, test)
    train = _without(train, [*validation, *test])
    for name, before, left in (("train", n_found[0], train), ("validation", n_found[1], validation)):
        if before and not left:
            raise SourceError(f"{task.name}: every text of {name} is also in a split that is to be judged on")
    n_dropped = sum(n_found) - len(train) - len(validation)
    if not test:
        train, test = _carve(task, train, *CARVED_TEST)
    if not validation:
        train, validation = _carve(task, train, *CARVED_VALIDATION)
    return Splits(*([example for _, example in part] for part in (train, validation, test))), protocol, n_dropped


def text_hash(example: Example) -> bytes:
    """SHA-256 of an example's texts and choices, in lower case and with runs of white space as one blank.

    Examples with the same hash count as the same.
    """
    texts = (" ".join(text.lower().split()) for text in (*example.fields.values(), *example.choices))
    return hashlib.sha256("\x1f".join(texts).encode()).digest()


def _hashed(examples: Sequence[Example]) -> Hashed:
    return [(text_hash(example), example) for example in examples]


def _without(examples: Hashed, others: Hashed) -> Hashed:
    hashes = {text for text, _ in others}
    return [pair for pair in examples if pair[0] not in hashes]


def _carve(task: Task, train: Hashed, ratio: float, at_most: int) -> tuple[Hashed, Hashed]:
    """What stays and what is taken: the texts with the lowest hashes, whatever the order of the rows."""
    hashes = sorted({text for text, _ in train})
    if len(hashes) < 3:
        raise SourceError(f"{task.name} has {len(hashes)} different training examples, too few to split")
    highest = hashes[min(at_most, max(1, round(ratio * len(hashes)))) - 1]
    return [pair for pair in train if pair[0] > highest], [pair for pair in train if pair[0] <= highest]


def cross_validate(task: Task, splits: Splits, n_folds: int, fold: int, seed: int) -> Splits:
    """One fold of train and validation as test, validation carved from the others; the test that there was is unused.

    Folds are of equal size, classes in proportion, equal texts in one fold. They are the same for all methods, and
    others for each seed: several seeds are a repeated cross-validation.

    Raises:
        SpecError: fewer different texts than folds.
        SourceError: the other folds have too few to carve from.
    """
    salt = derive(seed, "folds").to_bytes(4, "big")
    pool = [(hashlib.sha256(salt + text).digest(), example) for text, example in _hashed(splits.train)]
    pool += [(hashlib.sha256(salt + text).digest(), example) for text, example in _hashed(splits.validation)]
    classes: dict[bytes, str] = {}
    for text, example in pool:
        classes.setdefault(text, str(example.target) if task.kind == "classification" else "")
    if len(classes) < n_folds:
        raise SpecError(f"{task.name} has {len(classes)} different examples, too few for task.folds={n_folds}")
    ordered = sorted(classes, key=lambda text: (classes[text], text))
    tested = set(ordered[fold::n_folds])
    train, validation = _carve(task, [pair for pair in pool if pair[0] not in tested], *CARVED_VALIDATION)
    test = [pair for pair in pool if pair[0] in tested]
    return Splits(*([example for _, example in part] for part in (train, validation, test)))


def limit(task: Task, splits: Splits, spec: TaskSpec, seed: int) -> Splits:
    """At most as many examples as the spec allows; only train depends on the user's seed."""
    stratified = task.kind == "classification"
    if spec.train_per_class is not None:
        train = few_per_class(task, splits.train, spec.train_per_class, derive(seed, "subsample"))
    else:
        train = subsample(splits.train, spec.train_limit, derive(seed, "subsample"), stratified)
    return Splits(
        train,
        subsample(splits.validation, spec.validation_limit, derive(0, "subsample validation"), stratified),
        subsample(splits.test, spec.test_limit, derive(0, "subsample test"), stratified),
    )


def subsample(examples: list[Example], n: int | None, seed: int, stratified: bool) -> list[Example]:
    """``n`` examples in their order, with the classes in proportion (largest remainders) if stratified."""
    if n is None or n >= len(examples):
        return examples
    groups = np.array([example.target if stratified else 0 for example in examples])
    classes, counts = np.unique(groups, return_counts=True)
    exact = n * counts / len(groups)
    quotas = np.floor(exact).astype(int)
    quotas[np.argsort(quotas - exact, kind="stable")[: n - quotas.sum()]] += 1
    return _drawn(examples, groups, zip(classes, quotas, strict=True), seed)


def few_per_class(task: Task, examples: list[Example], n: int, seed: int) -> list[Example]:
    """``n`` examples of each class, in their order.

    Raises:
        SpecError: no classification, or a class with fewer.
    """
    if task.kind != "classification":
        raise SpecError(f"task.train_per_class needs classes; {task.name} is a {task.kind}: use task.train_limit")
    targets = np.array([example.target for example in examples])
    classes, counts = np.unique(targets, return_counts=True)
    short = {task.labels[label]: number for label, number in zip(classes, counts, strict=True) if number < n}
    if short:
        listed = ", ".join(f"{label} {number}" for label, number in short.items())
        raise SpecError(
            f"task.train_per_class={n}: {task.name} has classes with fewer training examples ({listed}); "
            f"the largest possible is {min(counts)}"
        )
    return _drawn(examples, targets, ((label, n) for label in classes), seed)


def _drawn(
    examples: list[Example], groups: NDArray[Any], quotas: Iterable[tuple[Any, int]], seed: int
) -> list[Example]:
    """So many examples of each group, in their order."""
    generator = np.random.default_rng(seed)
    kept = [generator.permutation(np.flatnonzero(groups == group))[:quota] for group, quota in quotas]
    return [examples[index] for index in np.sort(np.concatenate(kept))]


def check_targets(task: Task, train: Sequence[Example]) -> None:
    """Raise a SpecError if all targets of a classification or regression are the same: there is nothing to learn."""
    targets = {example.target for example in train}
    if task.kind not in ("classification", "regression") or len(targets) > 1:
        return
    only = ", ".join(task.labels[target] if isinstance(target, int) else str(target) for target in targets)
    what, needs = ("class", "classifier") if task.kind == "classification" else ("value", "regression")
    raise SpecError(
        f"{task.name} has one {what} among its {len(train)} training examples ({only}): "
        f"a {needs} needs two; check the target column or raise task.train_limit"
    )


def fingerprint(splits: Splits, labels: Sequence[str] = ()) -> str:
    """12 hex digits of SHA-256 over every example, in order, and label names that come with them."""
    digest = hashlib.sha256(json.dumps(labels, ensure_ascii=False).encode() if labels else b"")
    for name in ("train", "validation", "test"):
        for example in getattr(splits, name):
            content = (name, example.id, example.fields, example.target, example.choices, example.tokens)
            digest.update(json.dumps(content, ensure_ascii=False).encode())
    return digest.hexdigest()[:12]
