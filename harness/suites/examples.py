"""What the examples themselves give away: leakage, test data used for selection, too few of them or too few seeds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from math import ceil

from harness.core.errors import SourceError
from harness.core.spec import TaskSpec
from harness.data.tasks import find_task
from harness.statistics.intervals import LEVEL
from harness.statistics.looks import look_levels
from harness.suites.finding import Finding
from harness.suites.power import MOST_SEEDS, examples_needed, luck_of_best, seeds_needed
from harness.suites.suite import Suite, SuiteRun

LUCK_RATIO = 0.5
"""Share of the smallest difference worth claiming that the luck of a search's best trial may be."""

LEAK_RATIO = 0.01
"""Share of a task's test texts that may appear elsewhere: short texts such as "thank you" recur by chance."""


@dataclass(frozen=True)
class Texts:
    """The normalized texts of each split of a task, and how many examples it has to choose and to test on."""

    train: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]
    n_validation: int
    n_test: int


def read_texts(cells: Iterable[SuiteRun]) -> tuple[dict[str, Texts], list[str]]:
    """The texts of every task whose data can be had here, and for each of the others why not.

    Tasks that are only tested on, without training, are among them.
    """
    from harness import data
    from harness.data.leakage import loose_key

    in_play = {cell.spec.task.name: (cell.spec.task, cell.spec.seed) for cell in cells}
    for name in list(in_play):
        for other in find_task(name).also_test:
            in_play.setdefault(other, (TaskSpec(name=other), 0))
    texts: dict[str, Texts] = {}
    missing: dict[str, str] = {}
    for spec, seed in in_play.values():
        try:
            splits, _ = data.load(find_task(spec.name), spec, seed)
        except SourceError as error:
            missing[spec.name] = str(error)
            continue
        train, validation, test = (
            frozenset(map(loose_key, split)) for split in (splits.train, splits.validation, splits.test)
        )
        texts[spec.name] = Texts(train, validation, test, len(splits.validation), len(splits.test))
    return texts, [f"{name}: examples not checked: {reason}" for name, reason in missing.items()]


def check_examples(suite: Suite, texts: dict[str, Texts]) -> Iterator[Finding]:
    """Findings that need the examples or their number, and leakage that tasks declare."""
    for name in dict.fromkeys(suite.tasks):
        yield from _test_for_selection(name, texts.get(name))
        if name in texts and len(suite.methods) > 1 and not suite.folds:
            yield from _few_examples(name, texts[name].n_test, suite.smallest_claim(name))
        if name in texts and suite.search and suite.search.trials:
            yield from _few_validation_examples(
                name, texts[name].n_validation, suite.search.trials, suite.smallest_claim(name)
            )
    if len(suite.methods) > 1 and not suite.folds:
        yield from _few_seeds(suite, {name: found.n_test for name, found in texts.items()})
    yield from _leakage(suite.tasks, texts)


def _few_seeds(suite: Suite, n_test: dict[str, int]) -> Iterator[Finding]:
    """The task that needs the most seeds, if there are fewer."""
    tasks = list(dict.fromkeys(suite.tasks))
    # A search adds a row of tuned settings to the default of each method.
    n_rows = len(suite.methods) * (2 if suite.search else 1)
    # A race that comes to its last look tests there at what the others have left.
    level = look_levels(suite.race.looks)[-1] if suite.race else LEVEL
    needed = {
        name: seeds_needed(suite.smallest_claim(name), n_rows, len(tasks), n_test.get(name), level) for name in tasks
    }
    name = max(tasks, key=lambda task: needed[task] or MOST_SEEDS + 1)
    seeds, enough, claim = len(set(suite.seeds)), needed[name], suite.smallest_claim(name)
    if enough is None or seeds < enough:
        among = f"among {n_rows} rows and {len(tasks)} tasks" if len(tasks) > 1 else f"among {n_rows} rows"
        examples = f"the {n_test[name]} test examples" if name in n_test else "the test examples"
        yield Finding(
            "few_seeds",
            f"{seeds} seeds can't show a difference of {claim:g} (worth_claiming) on {name} {among}",
            f"the table's own test for what is bold, at the {100 * level:.2g} % level, finds it with less than 80 % "
            f"power, if a metric varies by 0.01 from seed to seed and equal methods disagree on a tenth of {examples}",
            f"use {enough} seeds, or raise worth_claiming for {name}"
            if enough
            else f"raise worth_claiming for {name}, or use more test examples: no number of seeds is enough",
        )


def _test_for_selection(name: str, texts: Texts | None) -> Iterator[Finding]:
    hub = find_task(name).hub
    declared = hub is not None and hub.test is not None and hub.test in (hub.validation, hub.train)
    ratio = _shared(texts.validation, texts.test) if texts else 0.0
    if declared or ratio > LEAK_RATIO:
        how = (
            "declares its test split for another use too" if declared else f"has {ratio:.0%} of its test in validation"
        )
        yield Finding(
            "test_for_selection",
            f"{name} {how}",
            "checkpoints and settings are chosen on validation: chosen on test examples, the test result is too good",
            "carve the validation split from train (a task without one does that by itself)",
        )


def _few_examples(name: str, n_test: int, difference: float) -> Iterator[Finding]:
    if n_test < examples_needed(difference):
        yield Finding(
            "few_examples",
            f"{n_test} test examples of {name} can't show a difference of {difference:g} (worth_claiming)",
            "McNemar's test at the 5 % level finds it with less than 80 % power, "
            "if equal methods disagree on a tenth of the examples",
            f"use {examples_needed(difference)} test examples, or raise worth_claiming for {name}",
        )


def _few_validation_examples(name: str, n_examples: int, n_trials: int, claim: float) -> Iterator[Finding]:
    luck = luck_of_best(n_trials, n_examples)
    if luck > LUCK_RATIO * claim:
        needed = ceil(n_examples * (luck / (LUCK_RATIO * claim)) ** 2)
        yield Finding(
            "few_validation_examples",
            f"{n_examples} validation examples of {name} choose the best of {n_trials} trials by luck of {luck:.2g}",
            f"of equally good settings the best looks so much better, which is more than {LUCK_RATIO:g} of the "
            f"difference worth claiming ({claim:g}): what wins need not be better than the default",
            f"use {needed} validation examples, fewer trials, or raise worth_claiming for {name}",
        )


def _leakage(tasks: list[str], texts: dict[str, Texts]) -> Iterator[Finding]:
    in_play = dict.fromkeys([*tasks, *(other for name in tasks for other in find_task(name).also_test)])
    for trained, tested in permutations(in_play, 2):
        if trained not in tasks:
            continue
        declared = tested in find_task(trained).overlaps or trained in find_task(tested).overlaps
        ratio = 0.0
        if trained in texts and tested in texts:
            ratio = _shared(texts[trained].train | texts[trained].validation, texts[tested].test)
        if ratio > LEAK_RATIO or (declared and (trained < tested or tested not in tasks)):
            share = f": {ratio:.0%} of the test texts" if ratio else " (both declare the same source)"
            yield Finding(
                "leakage",
                f"training examples of {trained} are test examples of {tested}{share}",
                "settings or weights carried from one task to the other have seen the test, "
                "and an average over tasks counts the same sentences twice",
                f"keep only one of {trained} and {tested}",
            )


def _shared(pool: frozenset[str], test: frozenset[str]) -> float:
    """Share of the test texts that are in the pool."""
    return len(pool & test) / len(test) if test else 0.0
