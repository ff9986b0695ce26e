"""What is trained on, selected on and tested on."""

import dataclasses
import random
import time
from pathlib import Path

import numpy as np
import pytest
from datasets import Value
from scipy.stats import chisquare

from harness import data
from harness.core.errors import SourceError, SpecError
from harness.core.spec import TaskSpec, parse_spec
from harness.data import protocol
from harness.data.examples import build
from harness.data.tasks import find_task
from harness.task import Example, Rows, Splits
from tests.hub_schema import SCHEMAS, write_split

TASK = find_task("sst2").model_copy(update={"name": "toy", "hub": None})


def rows(n: int, word: str = "train", n_classes: int = 2) -> Rows:
    return [{"sentence": f"{word} {i}", "label": i % n_classes} for i in range(n)]


def split(**found: Rows) -> tuple[Splits, str, int]:
    return protocol.split(TASK, {name: build(TASK, part, name) for name, part in found.items()})


def texts(examples: list[Example]) -> list[str]:
    return [example.fields["sentence"] for example in examples]


def test_official_splits_stay_as_they_are() -> None:
    splits, kind, dropped = split(train=rows(50), validation=rows(10, "v"), test=rows(10, "t"))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (50, 10, 10)
    assert (kind, dropped) == ("official", 0)


def test_without_a_labelled_test_validation_is_the_test() -> None:
    unlabelled = [{**row, "label": -1} for row in rows(10, "t")]
    splits, kind, _ = split(train=rows(50), validation=rows(10, "v"), test=unlabelled)
    assert texts(splits.test) == texts(build(TASK, rows(10, "v"), "validation"))
    assert (len(splits.train), len(splits.validation), kind) == (45, 5, "official")


def test_with_train_alone_test_and_validation_are_carved() -> None:
    splits, kind, _ = split(train=rows(1000))
    assert (len(splits.train), len(splits.validation), len(splits.test), kind) == (720, 80, 200, "carved")


def test_carved_splits_have_a_largest_size() -> None:
    splits, _, _ = split(train=rows(30_000))
    assert (len(splits.validation), len(splits.test)) == (1000, 2000)


def test_carving_does_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = rows(500)
    random.Random(0).shuffle(shuffled)
    first, second = split(train=rows(500))[0], split(train=shuffled)[0]
    assert sorted(texts(first.test)) == sorted(texts(second.test))
    assert sorted(texts(first.validation)) == sorted(texts(second.validation))


def test_equal_texts_are_carved_together() -> None:
    splits, _, _ = split(train=[*rows(200), *[{**row, "sentence": row["sentence"].upper()} for row in rows(200)]])
    parts = [{text.lower() for text in texts(part)} for part in (splits.train, splits.validation, splits.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 400


def test_duplicates_are_dropped_from_train_and_validation_and_counted() -> None:
    train = [*rows(50), {"sentence": "  T  3 ", "label": 1}, {"sentence": "V 4", "label": 0}]
    splits, _, dropped = split(train=train, validation=[*rows(10, "v"), *rows(2, "t")], test=rows(10, "t"))
    assert (len(splits.train), len(splits.validation), len(splits.test), dropped) == (50, 10, 10, 4)


def test_too_few_texts_to_split() -> None:
    with pytest.raises(SourceError, match="toy has 2 different training examples"):
        split(train=rows(2) * 10)


def test_train_limit_follows_the_seed_and_the_others_do_not() -> None:
    splits = Splits(*(build(TASK, rows(200, word), word) for word in ("train", "v", "t")))
    spec = TaskSpec(name="sst2", train_limit=50, validation_limit=50, test_limit=50)
    first, second = (protocol.limit(TASK, splits, spec, seed) for seed in (0, 1))
    assert first.train != second.train
    assert first.validation == second.validation
    assert first.test == second.test
    assert texts(first.validation) != [text.replace("t ", "v ") for text in texts(first.test)]
    assert protocol.limit(TASK, splits, spec, 0) == first


@pytest.mark.parametrize("n", [7, 100, 333])
def test_limits_keep_the_classes_in_proportion_and_the_order(n: int) -> None:
    examples = build(TASK, [{"sentence": f"s {i}", "label": int(i % 10 == 0)} for i in range(1000)], "train")
    kept = protocol.subsample(examples, n, seed=3, stratified=True)
    assert len(kept) == n
    assert abs(sum(example.target == 1 for example in kept) - n / 10) < 1
    numbers = [int(example.id.split("/")[1]) for example in kept]
    assert numbers == sorted(numbers)


def test_a_larger_limit_keeps_the_smaller_sample() -> None:
    examples = build(TASK, rows(1000), "train")
    small, large = (set(texts(protocol.subsample(examples, n, 0, True))) for n in (100, 200))
    assert small < large


def test_few_per_class_keeps_as_many_of_each() -> None:
    examples = build(TASK, [{"sentence": f"s {i}", "label": int(i % 10 == 0)} for i in range(200)], "train")
    spec = TaskSpec(name="sst2", train_per_class=8)
    kept, other = (protocol.limit(TASK, Splits(examples, [], []), spec, seed).train for seed in (0, 1))
    assert [sum(example.target == label for example in kept) for label in (0, 1)] == [8, 8]
    assert kept != other
    fewer = protocol.limit(TASK, Splits(examples, [], []), TaskSpec(name="sst2", train_per_class=4), 0).train
    assert set(texts(fewer)) < set(texts(kept))
    with pytest.raises(SpecError, match=r"fewer training examples \(positive 20\); the largest possible is 20"):
        protocol.few_per_class(TASK, examples, 21, 0)


def test_few_per_class_needs_classes() -> None:
    with pytest.raises(SpecError, match=r"needs classes; stsb is a regression: use task\.train_limit"):
        protocol.few_per_class(find_task("stsb"), [], 8, 0)


def test_each_text_is_tested_in_one_fold() -> None:
    found = build(TASK, [{"sentence": f"s {i % 180}", "label": int(i % 5 == 0)} for i in range(200)], "train")
    splits = Splits(found[:150], found[150:], build(TASK, rows(9, "t"), "test"))
    made = [protocol.cross_validate(TASK, splits, 4, fold, seed=3) for fold in range(4)]
    for part in made:
        used = [*part.train, *part.validation, *part.test]
        assert sorted(e.id for e in used) == sorted(e.id for e in found)
        assert not {*texts(part.test)} & {*texts(part.train), *texts(part.validation)}
        assert not {*texts(part.validation)} & {*texts(part.train)}
        assert len({*texts(part.test)}) == 45
        assert sum(e.target for e in part.test) == pytest.approx(10, abs=2)
    assert sorted(e.id for part in made for e in part.test) == sorted(e.id for e in found)
    assert protocol.cross_validate(TASK, splits, 4, 0, seed=3) == made[0]
    assert protocol.cross_validate(TASK, splits, 4, 0, seed=4) != made[0]


def test_folds_do_not_depend_on_the_order_of_the_rows() -> None:
    found = build(TASK, rows(60), "train")
    one = protocol.cross_validate(TASK, Splits(found, [], []), 5, 2, 0)
    other = protocol.cross_validate(TASK, Splits(found[::-1], [], []), 5, 2, 0)
    assert sorted(e.id for e in one.test) == sorted(e.id for e in other.test)


def test_too_few_texts_for_the_folds() -> None:
    found = build(TASK, rows(4), "train")
    with pytest.raises(SpecError, match=r"toy has 4 different examples, too few for task\.folds=5"):
        protocol.cross_validate(TASK, Splits(found, [], []), 5, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train_limit": 9, "train_per_class": 9}, "leave one out"),
        ({"fold": 1}, "fold 1 is none of 1"),
        ({"folds": 3, "fold": 3}, "fold 3 is none of 3"),
    ],
)
def test_what_does_not_go_together(given: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec({"task": {"name": "sst2", **given}, "method": {"name": "lora"}})


def test_in_cross_validation_the_tasks_own_test_is_unused_and_counted(tmp_path: Path) -> None:
    columns = {"sentence": Value("string"), "label": Value("int64")}
    for name in ("train", "test"):
        write_split(tmp_path / f"{name}.parquet", rows(40, name), columns)
    splits, info = data.load(TASK, TaskSpec(name="toy", path=str(tmp_path), folds=4, fold=1, train_limit=20), 0)
    assert info.protocol == "folds"
    assert (info.sizes["train"], info.sizes["test"]) == (20, 10)
    assert all("train" in text for text in texts(splits.test))
    assert "40 examples of the task's own test, as in cross-validation, left out" in info.notes()


def test_every_example_is_as_likely() -> None:
    examples = build(TASK, rows(20), "train")
    counts = np.zeros(20)
    for seed in range(2000):
        counts[[int(e.id.split("/")[1]) for e in protocol.subsample(examples, 4, seed, True)]] += 1
    assert chisquare(counts).pvalue > 0.001


def test_the_fingerprint_sees_every_part_of_an_example() -> None:
    base = Example("train/0", {"sentence": "a"}, 0, ("x", "y"), ("t",))
    others = [
        dataclasses.replace(base, id="train/1"),
        dataclasses.replace(base, fields={"sentence": "b"}),
        dataclasses.replace(base, target=1),
        dataclasses.replace(base, choices=("y", "x")),
        dataclasses.replace(base, tokens=("u",)),
    ]
    splits = [Splits([example], [], []) for example in (base, *others)]
    splits += [Splits([], [base], []), Splits([base, others[0]], [], []), Splits([others[0], base], [], [])]
    assert len({protocol.fingerprint(part) for part in splits}) == len(splits)


def test_one_class_is_an_error(tmp_path: Path) -> None:
    one_class = [{**row, "label": 1, "idx": 0} for row in rows(30)]
    write_split(tmp_path / "train.parquet", one_class, SCHEMAS["nyu-mll/glue", "sst2"])
    with pytest.raises(SpecError, match=r"sst2 has one class among its 22 training examples \(positive\)"):
        data.load(find_task("sst2"), TaskSpec(name="sst2", path=str(tmp_path)), 0)


def test_sst2_at_its_full_size_loads_fast(tmp_path: Path) -> None:
    """The data are loaded before every run to know its run_id."""
    full = [{"sentence": f"a sentence of eight words with number {i}", "label": i % 2, "idx": i} for i in range(67_349)]
    write_split(tmp_path / "train.parquet", full, SCHEMAS["nyu-mll/glue", "sst2"])
    spec = TaskSpec(name="sst2", path=str(tmp_path), train_limit=8000)
    data.load(find_task("sst2"), spec, 0)
    start = time.process_time()
    data.load(find_task("sst2"), spec, 0)
    assert time.process_time() - start < 3


def test_a_worker_reads_a_task_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other seeds and limits are taken from what was read; elsewhere every run reads the files as they are now."""
    for name in ("train", "test"):
        write_split(
            tmp_path / f"{name}.parquet", rows(40, name), {"sentence": Value("string"), "label": Value("int64")}
        )
    given = [TaskSpec(name="toy", path=str(tmp_path), train_limit=10), TaskSpec(name="toy", path=str(tmp_path))]
    fresh = [data.load(TASK, spec, seed) for spec in given for seed in (0, 1)]
    monkeypatch.setattr(data, "_KEPT", {})
    monkeypatch.setattr(data, "_keeps_examples", False)
    data.keep_examples()
    assert data.load(TASK, given[0], 0) == fresh[0]
    (tmp_path / "train.parquet").unlink()
    assert [data.load(TASK, spec, seed) for spec in given for seed in (0, 1)] == fresh
