"""What the cells of one's own file mean: read in one way, or refused with the line; what is left out is counted."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import data
from harness.core.errors import HarnessError, SourceError, SpecError
from harness.core.spec import TaskSpec
from harness.core.template import fill
from harness.data.tasks import find_task
from harness.runs import identity
from harness.storage.record import DataInfo
from harness.task import Splits, Task

Loaded = tuple[Task, Splits, DataInfo]


def load(path: Path, query: str, **limits: int) -> Loaded:
    name = f"{path}?{query}"
    task = find_task(name)
    return task, *data.load(task, TaskSpec(name=name, **limits), 0)


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def targets(path: Path, values: list[Any], query: str = "", n: int = 40) -> list[Any]:
    """What becomes of the values as targets of JSON lines, by row."""
    rows = [{"t": f"text {n}", "y": values[n % len(values)]} for n in range(n)]
    task, splits, _ = load(lines(path / "t.jsonl", rows), f"text=t&target=y{query}")
    found = {e.id: e.target for part in (splits.train, splits.validation, splits.test) for e in part}
    by_row = [found.get(f"train/{number}") for number in range(len(values))]
    return [task.labels[target] if task.labels and isinstance(target, int) else target for target in by_row]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([10, 9, 0, 2], ["0", "2", "9", "10"]),
        (["10", "9", "-1", "0.5"], ["-1", "0.5", "9", "10"]),
        ([1.0, 0.0, None], ["0", "1"]),
        ([1, 1.0, 0], ["0", "1"]),
        ([True, False], ["false", "true"]),
        (["b ", "a", "10"], ["10", "a", "b"]),
        (["NA", "nan"], ["NA", "nan"]),
        ([10**30, 2], ["2", str(10**30)]),
    ],
)
def test_label_names_are_those_of_the_file_numbers_in_their_order(
    values: list[Any], names: list[str], tmp_path: Path
) -> None:
    rows = [{"t": f"text {n}", "y": values[n % len(values)]} for n in range(40)]
    assert load(lines(tmp_path / "t.jsonl", rows), "text=t&target=y")[0].labels == tuple(names)


@pytest.mark.parametrize("gap", [None, "", "  ", float("nan")])
@pytest.mark.parametrize("kind", ["classification", "regression", "generation"])
def test_a_missing_target_is_counted(gap: Any, kind: str, tmp_path: Path) -> None:
    values = [gap, 1, 2, 3]
    rows = [{"t": f"text {n}", "y": values[n % 4]} for n in range(40)]
    task, _, info = load(lines(tmp_path / "t.jsonl", rows), f"text=t&target=y&kind={kind}")
    assert info.left_out == {"train rows without a target": 10}
    assert info.notes()[0] == "10 train rows without a target left out"
    assert sum(info.sizes.values()) == 30
    assert len(task.labels) == (3 if kind == "classification" else 0)


@pytest.mark.parametrize(
    ("query", "values", "found"),
    [
        ("&labels=no&labels=yes", [0, 1, "1", 1.0, "1.0", True, "yes"], ["no", *["yes"] * 6]),
        ("&labels=2&labels=1", [1, 2], ["1", "2"]),
        ("&kind=generation", [-1, 0, "a\nb", -1.5, True], ["-1", "0", "a\nb", "-1.5", "true"]),
        ("&kind=regression", [-1, "2", "1e2", 0.5], [-1.0, 2.0, 100.0, 0.5]),
    ],
)
def test_targets(query: str, values: list[Any], found: list[Any], tmp_path: Path) -> None:
    assert targets(tmp_path, values, query, n=400) == found


@pytest.mark.parametrize(
    ("query", "values", "message"),
    [
        ("", ["a", ["b"]], "line 2: target ['b'] is no single label: several"),
        ("", ["a", {"b": 1}], "line 2: target {'b': 1} is no single label"),
        ("&labels=a&labels=b", ["a", "B"], "line 2: target 'B' is none of the labels (a, b) (did you mean 'b'?)"),
        ("&labels=a&labels=b", [0, 2], "line 2: target '2' is none of the labels"),
        ("&labels=a&labels=b", ["a", -1], "line 2: target '-1' is none of the labels"),
        ("&labels=1&labels=2", [0, 1], "line 1: target '0' is none of the labels"),
        ("&labels=a&labels=b", ["a", 0.5], "line 2: target '0.5' is none of the labels"),
        ("&kind=regression", [1, "nan"], "line 2: target 'nan' is no finite number"),
        ("&kind=regression", [1, float("inf")], "line 2: target inf is no finite number"),
        ("&kind=regression", [1, "-inf"], "line 2: target '-inf' is no finite number"),
        ("&kind=regression", [1, 10**400], "line 2: target 1000"),
        ("&kind=regression", [1, "1,5"], "line 2: target '1,5' is no finite number"),
        ("&kind=regression", [1, "1_5"], "line 2: target '1_5' is no finite number"),
        ("&kind=regression", [1, True], "line 2: target True is no finite number"),
        ("&kind=regression", [1, [2]], "line 2: target [2] is no finite number"),
        ("&kind=generation", ["a", ["b"]], "line 2: a list (['b']) where a text belongs"),
        ("&kind=generation&stop=%23", ["a", "b # c"], "line 2: the target contains the stop text '#'"),
        ("&kind=token_classification", [["O", "O"], True], "line 2: 'y' has True: a list belongs there"),
        ("&kind=token_classification", [["O", "O"], ["O"]], "line 2: 2 words in 't' have 1 tags in 'y'"),
        ("&kind=token_classification", [["O", "O"], [1, 0]], "by name; got 0, 1"),
        ("&kind=token_classification", [["O", "O"], [True, "O"]], "by name; got true"),
        ("", [None, ""], "has no row with a target in 'y'"),
        ("&kind=regression", [float("nan")], "has no row with a target in 'y'"),
        ("&kind=regression", [3.5], "has one value among its 29 training examples (3.5): a regression needs two"),
    ],
)
def test_targets_that_are_none(query: str, values: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        targets(tmp_path, values, query)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"), [(" a ", "a"), (3, "3"), (0.5, "0.5"), (None, ""), (float("nan"), ""), (True, "true")]
)
def test_texts(value: Any, text: str, tmp_path: Path) -> None:
    rows = [{"t": value, "u": f"u {n}", "y": n % 2} for n in range(40)]
    splits = load(lines(tmp_path / "t.jsonl", rows), "text=t&text=u&target=y")[1]
    assert {example.fields["t"] for example in splits.train} == {text}


@pytest.mark.parametrize("value", [["a"], {"en": "a"}, [], {}])
def test_a_structure_is_no_text(value: Any, tmp_path: Path) -> None:
    rows = [{"t": value, "u": f"u {n}", "y": n % 2} for n in range(40)]
    lines(tmp_path / "t.jsonl", rows)
    for query in ("text=t", "text=u&templates={t}"):
        with pytest.raises(SourceError, match=r"t\.jsonl, line 1: .* where a text belongs"):
            load(tmp_path / "t.jsonl", f"{query}&target=y")


def test_parquet_s_types(tmp_path: Path) -> None:
    columns = {
        "bytes": [b"caf\xc3\xa9 %d" % n for n in range(40)],
        "price": [Decimal("1.50")] * 40,
        "when": [datetime(2024, 1, 1)] * 40,
        "image": [b"\xff\xd8"] * 40,
        "y": [b"neg", b"pos"] * 20,
        "z": [Decimal("0.5"), Decimal("1.5")] * 20,
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    task, splits, _ = load(tmp_path / "t.parquet", "text=bytes&text=price&target=y")
    assert task.labels == ("neg", "pos")
    assert splits.train[0].fields == {"bytes": "café 0", "price": "1.50"}
    assert load(tmp_path / "t.parquet", "kind=regression&text=bytes&target=z")[1].train[0].target == 0.5
    for column, problem in (("when", "datetime"), ("image", "bytes that are no UTF-8")):
        with pytest.raises(SourceError, match=rf"row 1: {problem}"):
            load(tmp_path / "t.parquet", f"text={column}&target=y")


CITIES = ["Paris", "Rome", "Oslo"]
ARC = {"text": CITIES, "label": ["A", "B", "C"]}
NUMBERED = {"text": CITIES, "label": ["1", "2", "3"]}


def choice(path: Path, choices: Any, answers: list[Any]) -> tuple[list[Any], DataInfo]:
    """Texts of the right choices by row."""
    rows = [{"q": f"q {n}", "c": choices, "y": answers[n % len(answers)]} for n in range(400)]
    _, splits, info = load(lines(path / "q.jsonl", rows), "kind=multiple_choice&text=q&choices=c&target=y")
    found = {e.id: e.choices[e.target] for e in splits.train + splits.validation + splits.test}  # type: ignore[index]
    return [found.get(f"train/{n}") for n in range(len(answers))], info


@pytest.mark.parametrize(
    ("choices", "answers", "right"),
    [
        (CITIES, [0, 2, "1", 1.0, "1.0"], ["Paris", "Oslo", "Rome", "Rome", "Rome"]),
        (CITIES, ["A", "c", "Rome", " Rome "], ["Paris", "Oslo", "Rome", "Rome"]),
        (ARC, ["A", "C", "Rome"], ["Paris", "Oslo", "Rome"]),
        (ARC, [0, 1], ["Paris", "Rome"]),
        (NUMBERED, ["1", "3", 2], ["Paris", "Oslo", "Rome"]),
        ([12, 15, 20], [15, "12"], ["15", "12"]),
        ([1, 2], ["A", "B"], ["1", "2"]),
        ([0, 1], [1, 1], ["1", "1"]),
        (["", "Rome", None, "Oslo"], [1, 3, "D"], ["Rome", "Oslo", "Oslo"]),
    ],
)
def test_choices_and_the_right_one(choices: Any, answers: list[Any], right: list[str], tmp_path: Path) -> None:
    assert choice(tmp_path, choices, answers)[0] == right


def test_blank_choices_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("q,a,b,c,y\n" + "".join(f"q {n},x,{'' if n % 4 else 'y'},z,2\n" for n in range(40)))
    query = "kind=multiple_choice&text=q&choices=a&choices=b&choices=c&target=y"
    (tmp_path / "q.csv").write_text((tmp_path / "q.csv").read_text() + "q,x,y,z,0\n")
    _, splits, info = load(tmp_path / "q.csv", query)
    assert info.left_out == {"train choices that are blank": 30}
    assert {(e.choices, e.target) for e in splits.train} >= {(("x", "z"), 1), (("x", "y", "z"), 2)}


@pytest.mark.parametrize(
    ("choices", "answers", "message"),
    [
        ("['Paris', 'Rome']", [0], "line 1: 'c' has \"['Paris', 'Rome']\", which is no list of choices"),
        ({"A": "Paris", "B": "Rome"}, ["A"], "which is no list of choices"),
        ({"text": CITIES, "label": ["A"]}, ["A"], "not two lists of one length"),
        ([["Paris"], ["Rome"]], [0], "a list (['Paris']) where a text belongs"),
        ([6, 3, 5, 0], [0], "line 1: target '0' may mean choice 0 ('6') or choice 3 ('0')"),
        (["B", "A"], ["A"], "line 1: target 'A' may mean choice 0 ('B') or choice 1 ('A')"),
        (["Rome", "Rome", "Oslo"], ["Rome"], "target 'Rome' may mean"),
        (
            CITIES,
            [0, 3],
            "line 2: target '3' is neither one of the choices (Paris, Rome, Oslo) nor",
        ),
        (CITIES, ["D"], "line 1: target 'D' is neither"),
        (CITIES, [-1], "line 1: target '-1' is neither"),
        (CITIES, [True], "line 1: target 'true' is neither"),
        (NUMBERED, ["0"], "line 1: target '0' is neither"),
        (CITIES, [1, 2], "no target in 'y' is 0, so they seem to count from 1"),
        (["Paris", "", "Oslo"], [1], "line 1: target 1 is a blank choice"),
        (["Paris", None], [0], "the only choice is 'Paris'"),
        ([], [0], "line 1: target '0' is neither"),
    ],
)
def test_choices_that_can_t_be_read(choices: Any, answers: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        choice(tmp_path, choices, answers)
    assert message in str(caught.value)


COLUMNS = ["Review: body", "a.b", "a[0]", "{x}", "}", "50%", "a=b", "a b", "straße", "choices", "text!r", "%7B", "+"]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_any_name(column: str, tmp_path: Path) -> None:
    rows = [{column: f"text {n}", "y": n % 2, "y:z": n % 2} for n in range(40)]
    lines(tmp_path / "t.jsonl", rows)
    escaped = column.replace("%", "%25").replace("&", "%26")
    task, splits, _ = load(tmp_path / "t.jsonl", f"text={escaped}&target=y:z")
    assert task.text == (column,)
    assert fill(task.templates[0], splits.train[0].fields) == "text 0\nAnswer:"


def test_a_column_named_choices_beside_the_choices(tmp_path: Path) -> None:
    rows = [{"choices": f"q {n}", "a": "x", "b": "y", "&": n % 2} for n in range(40)]
    query = "kind=multiple_choice&text=choices&choices=a&choices=b&target=%26"
    example = load(lines(tmp_path / "q.jsonl", rows), query)[1].train[0]
    assert (example.fields, example.choices) == ({"choices": "q 0"}, ("x", "y"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("text=t&target=y&target=z", "task.target is given twice"),
        ("text=t&target=y&R&D", "'R' says nothing: write field=value, and %26 for an &"),
        ("text=t%ff&target=y", "no UTF-8; write %25"),
        ("text=t&text=t&target=y", "task.text has 't' twice"),
        ("text=t&target=y&validation=", "a task's file must end in .csv"),
        ("text=t&target=y&choices=u", "task.choices belongs to multiple_choice, not to classification"),
        ("text=t&target=y&stop=x", "task.stop belongs to generation"),
        ("text=t&target=y&kind=regression&labels=a", "task.labels belongs to classification and token"),
        ("text=t&target=y&kind=token_classification&text=u", "token_classification reads one column"),
        ("text=t&target=y&kind=multiple_choice&choices=u&choices=y", "'y' is also a text"),
        ("text=t&target=y&verbalizers=no&verbalizers= no", "must tell the labels apart"),
        ("text=t&target=y&verbalizers=no&verbalizers=", "must tell the labels apart"),
        ("text=t&target=y&templates={t:>9}", "has no column 't:>9'; it has t, u, y, z"),
    ],
)
def test_settings_that_say_nothing_or_two_things(query: str, message: str, tmp_path: Path) -> None:
    lines(tmp_path / "t.jsonl", [{"t": f"text {n}", "u": "u", "y": n % 2, "z": 0} for n in range(40)])
    with pytest.raises(HarnessError) as caught:
        load(tmp_path / "t.jsonl", query)
    assert message in str(caught.value)


def test_labels_whose_phrases_are_alike_keep_their_names(tmp_path: Path) -> None:
    rows = [{"t": f"text {n}", "y": ("new_york", "new york")[n % 2]} for n in range(40)]
    assert load(lines(tmp_path / "t.jsonl", rows), "text=t&target=y")[0].verbalizers == (" new york", " new_york")


@pytest.mark.parametrize(
    ("answers", "query", "stop"),
    [
        (["a", "b"], "", ("\n",)),
        (["a", "b\nc"], "", ("\n\n",)),
        (["a", "b\n\nc"], "", ()),
        (["a", "b\nc"], "&stop=END&stop=\\n\\n", ("END", "\n\n")),
        (["a", "b"], "&stop=", ()),
    ],
)
def test_what_ends_an_answer_is_in_no_target(
    answers: list[str], query: str, stop: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [{"t": f"text {n}", "y": answers[n % 2]} for n in range(40)]
    file = lines(tmp_path / "t.jsonl", rows)
    assert load(file, f"kind=generation&text=t&target=y{query}")[0].stop == stop


def split_files(path: Path, **files: list[Any]) -> Path:
    for name, labels in files.items():
        lines(path / f"{name}.jsonl", [{"t": f"{name} {n}", "y": label} for n, label in enumerate(labels)])
    return path / "train.jsonl"


def test_validation_is_validation_and_the_test_is_carved(tmp_path: Path) -> None:
    train = split_files(tmp_path, train=["a", "b"] * 30, va=["a", "b"] * 10)
    _, splits, info = load(train, "text=t&target=y&validation=va.jsonl")
    assert info.sizes == {"train": 48, "validation": 20, "test": 12}
    assert info.protocol == "carved"
    assert "test is carved from train (12 examples)" in info.notes()
    assert {e.fields["t"].split()[0] for e in splits.validation} == {"va"}
    assert {e.fields["t"].split()[0] for e in splits.test} == {"train"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("test=unlabelled.jsonl", "unlabelled.jsonl has no row with a target in 'y'"),
        ("test=hub.jsonl", "'y' has labels in test that are not in train: -1; name all of them"),
        ("test=train.jsonl", "train.jsonl can't be both train and test"),
        ("test=va.jsonl&validation=./va.jsonl", "va.jsonl can't be both validation and test"),
        ("test=copy.jsonl", "every text of train is also in a split that is to be judged on"),
    ],
)
def test_parts_that_files_can_t_play(query: str, message: str, tmp_path: Path) -> None:
    train = split_files(tmp_path, train=["a", "b"] * 30, va=["a", "b"], unlabelled=[None] * 5, hub=[-1] * 5)
    (tmp_path / "copy.jsonl").write_bytes(train.read_bytes())
    with pytest.raises(HarnessError) as caught:
        load(train, f"text=t&target=y&{query}")
    assert message in str(caught.value)


def test_a_folder_in_the_hub_s_form_is_not_for_one_s_own_task(tmp_path: Path) -> None:
    train = split_files(tmp_path, train=["a", "b"] * 30)
    task = find_task(f"{train}?text=t&target=y")
    with pytest.raises(SpecError, match=r"task\.path is for registered tasks"):
        data.load(task, TaskSpec(name=task.name, path=str(tmp_path)), 0)


def test_words_and_tags(tmp_path: Path) -> None:
    rows = [{"w": f"Anna {n}", "t": ["B-x", "O"]} for n in range(40)] + [{"w": [], "t": []}] * 3
    _, splits, info = load(lines(tmp_path / "t.jsonl", rows), "kind=token_classification&text=w&target=t")
    assert info.left_out == {"train rows without words": 3}
    assert (splits.train[0].tokens, splits.train[0].target) == (("Anna", "0"), (1, 0))


def test_the_scale_is_that_of_the_rows_trained_on(tmp_path: Path) -> None:
    rows = [{"t": f"text {n}", "y": n % 7} for n in range(100)]
    file = lines(tmp_path / "t.jsonl", rows)
    query = "kind=regression&text=t&target=y"
    task, splits, info = load(file, query, train_limit=20, validation_limit=5, test_limit=5)
    assert data.scaled(task, splits.train).value_range == (0.0, 6.0)
    used = {e.id for part in (splits.train, splits.validation, splits.test) for e in part}
    unused = next(n for n in range(100) if f"train/{n}" not in used)
    rows[unused]["y"] = 5000
    again, splits_again, info_again = load(lines(file, rows), query, train_limit=20, validation_limit=5, test_limit=5)
    assert (again.version, info_again.fingerprint) == (task.version, info.fingerprint)
    assert data.scaled(again, splits_again.train).value_range == (0.0, 6.0)


def test_label_names_are_part_of_the_identity(tmp_path: Path) -> None:
    task, _, info = load(split_files(tmp_path, train=["a", "b"] * 30), "text=t&target=y")
    renamed, _, info_renamed = load(split_files(tmp_path, train=["c", "d"] * 30), "text=t&target=y")
    assert renamed.labels == ("c", "d")
    assert renamed.version != task.version
    assert info_renamed.fingerprint != info.fingerprint


def test_a_file_that_changes_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a process that keeps examples: labels and examples are always of one state of the file."""
    monkeypatch.setattr(data, "_KEPT", {})
    monkeypatch.setattr(data, "_keeps_examples", True)
    query = "text=t&target=y"
    train = split_files(tmp_path, train=["a", "b"] * 30)
    spec = TaskSpec(name=f"{train}?{query}")
    before = load(train, query)[2].fingerprint
    assert identity.fingerprint(spec, 0) == before
    split_files(tmp_path, train=["b", "a"] * 30)
    after = load(train, query)[2].fingerprint
    assert after != before
    assert identity.fingerprint(spec, 0) == after


@pytest.mark.parametrize("name", ["loop.csv", "nul\0.csv", "x" * 300 + ".csv", "half\udcff.csv", "t.jsonl/t.csv"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    split_files(tmp_path, t=["a", "b"])
    for query in (f"{tmp_path}/{name}?text=t&target=y", f"{tmp_path}/t.jsonl?text=t&target=y&test={name}"):
        with pytest.raises(HarnessError, match=r"can't be read|is no UTF-8"):
            find_task(query)


def test_an_unchanged_file_gives_the_same_task(tmp_path: Path) -> None:
    name = f"{split_files(tmp_path, train=['a', 'b'] * 30)}?text=t&target=y"
    assert find_task(name) is find_task(name)
