"""A file of one's own as a task."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import data
from harness.core.errors import HarnessError, SourceError, SpecError
from harness.core.spec import TaskSpec
from harness.data.own import own_task
from harness.data.tasks import find_task
from harness.storage.record import DataInfo
from harness.task import Splits, Task

ROWS = [{"review": f'film {n}, "quoted"', "sentiment": ("bad", "good")[n % 2], "stars": n % 5} for n in range(60)]
TEXT = {"text": "review", "target": "sentiment"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        cells = [list(rows[0]), *[[str(v) for v in row.values()] for row in rows]]
        path.write_text(
            "\n".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in cells)
        )
    return path


def load(task: Task) -> tuple[Splits, DataInfo]:
    return data.load(task, TaskSpec(name=task.name), 0)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_examples(suffix: str, tmp_path: Path) -> None:
    task = own_task(write(tmp_path / f"reviews{suffix}", ROWS), TEXT)
    splits, info = load(task)
    assert task.labels == ("bad", "good")
    assert info.protocol == "carved"
    assert info.sizes == {"train": 43, "validation": 5, "test": 12}
    assert info.fingerprint == load(own_task(write(tmp_path / "again.csv", ROWS), TEXT))[1].fingerprint
    for example in splits.train:
        row = ROWS[int(example.id.split("/")[1])]
        assert example.fields == {"review": row["review"]}
        assert task.labels[example.target] == row["sentiment"]  # type: ignore[index]


def test_defaults_make_a_prompt_of_the_texts(tmp_path: Path) -> None:
    task = own_task(write(tmp_path / "reviews.csv", ROWS), TEXT)
    assert task.templates == ("{review}\nAnswer:",)
    assert task.verbalizers == (" bad", " good")
    assert task.metrics == ("accuracy", "macro_f1")


def test_a_toml_file_names_the_data_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "reviews.jsonl", ROWS)
    (tmp_path / "my.toml").write_text(
        'file = "reviews.jsonl"\ntext = "review"\ntarget = "sentiment"\nlabels = ["good", "bad"]\n'
        'templates = "Review: {review}\\nVerdict:"\nverbalizers = [" yes", " no"]\nmetrics = "mcc"\n'
    )
    task = own_task(tmp_path / "my.toml", {})
    assert (task.labels, task.verbalizers, task.metrics) == (("good", "bad"), (" yes", " no"), ("mcc",))
    assert task.templates == ("Review: {review}\nVerdict:",)
    assert load(task)[1].sizes["test"] == 12
    assert task.version != own_task(tmp_path / "my.toml", {"metrics": "accuracy"}).version


def test_files_of_their_own_for_validation_and_test(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ROWS[:40])
    write(tmp_path / "dev.jsonl", ROWS[40:46])
    write(tmp_path / "held_out.csv", ROWS[46:])
    name = f"{tmp_path}/train.csv?text=review&target=sentiment&validation=dev.jsonl&test=held_out.csv"
    splits, info = load(find_task(name))
    assert (info.protocol, info.sizes) == ("official", {"train": 40, "validation": 6, "test": 14})
    assert splits.test[0].fields["review"] == ROWS[46]["review"]
    with pytest.raises(SourceError, match=r"none\.csv can't be read"):
        find_task(name.replace("held_out", "none"))


def test_named_labels_of_a_file_that_has_their_indices(tmp_path: Path) -> None:
    rows = [{"t": f"text {n}", "y": n % 2} for n in range(30)]
    task = own_task(write(tmp_path / "n.csv", rows), {"text": "t", "target": "y", "labels": ["no", "yes"]})
    assert all(example.target == int(example.id.split("/")[1]) % 2 for example in load(task)[0].train)


def test_spreadsheet_marks_and_separators_inside_texts(tmp_path: Path) -> None:
    lines = [f'"line one\nline two, {n}",{"xy"[n % 2]}' for n in range(30)]
    (tmp_path / "sheet.csv").write_text("\ufefftext,label\n" + "\n".join(lines))
    (tmp_path / "line.jsonl").write_text(
        "\n".join(f'{{"text": "one\u2028two {n}", "label": "{"xy"[n % 2]}"}}' for n in range(30))
    )
    settings = {"text": "text", "target": "label"}
    assert load(own_task(tmp_path / "sheet.csv", settings))[0].train[0].fields["text"].startswith("line one\nline")
    assert load(own_task(tmp_path / "line.jsonl", settings))[0].train[0].fields["text"].startswith("one\u2028two")


def test_regression(tmp_path: Path) -> None:
    task = own_task(write(tmp_path / "r.csv", ROWS), {"kind": "regression", "text": "review", "target": "stars"})
    train = load(task)[0].train
    assert {example.target for example in train} == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert data.scaled(task, train).value_range == (0.0, 4.0)


@pytest.mark.parametrize("answer", [lambda n: str(n % 2), lambda n: f"{'xy'[n % 2]}{n}"])
def test_multiple_choice_by_index_or_by_text(answer: Any, tmp_path: Path) -> None:
    rows = [{"q": f"q {n}", "a": f"x{n}", "b": f"y{n}", "right": answer(n)} for n in range(30)]
    settings = {"kind": "multiple_choice", "text": "q", "target": "right", "choices": ["a", "b"]}
    for example in load(own_task(write(tmp_path / "q.csv", rows), settings))[0].train:
        number = int(example.id.split("/")[1])
        assert example.choices == (f"x{number}", f"y{number}")
        assert example.target == number % 2


def test_tags_by_name(tmp_path: Path) -> None:
    rows = [{"words": ["Anna", f"w{n}"], "tags": ["B-person", "O"]} for n in range(30)]
    rows += [{"words": ["Rome", "Inn", f"w{n}"], "tags": ["B-place", "I-place", "O"]} for n in range(30)]
    settings = {"kind": "token_classification", "text": "words", "target": "tags"}
    task = own_task(write(tmp_path / "tags.jsonl", rows), settings)
    assert task.labels == ("O", "B-person", "I-person", "B-place", "I-place")
    assert {example.target for example in load(task)[0].train} == {(1, 0), (3, 4, 0)}
    with pytest.raises(SpecError, match=r"task\.labels of tags are O, then B-x and I-x"):
        own_task(tmp_path / "tags.jsonl", {**settings, "labels": ["B-person", "O"]})


def test_tags_in_the_cells_of_a_table(tmp_path: Path) -> None:
    rows = [{"words": f"Anna met w{n}", "tags": "B-person O O"} for n in range(30)]
    settings = {"kind": "token_classification", "text": "words", "target": "tags"}
    example = load(own_task(write(tmp_path / "tags.csv", rows), settings))[0].train[0]
    assert (example.tokens[:2], example.target) == (("Anna", "met"), (1, 0, 0))
    write(tmp_path / "tags.csv", [{**row, "tags": "PER O O"} for row in rows])
    with pytest.raises(SpecError, match=r"tags in 'tags' are O, B-x and I-x of each type x, by name; got PER"):
        own_task(tmp_path / "tags.csv", settings)


def test_generation(tmp_path: Path) -> None:
    rows = [{"en": f"dog {n}", "de": f"Hund {n}"} for n in range(30)]
    settings = {"kind": "generation", "text": "en", "target": "de", "metrics": ["bleu", "chrf"]}
    task = own_task(write(tmp_path / "t.jsonl", rows), settings)
    assert load(task)[0].train[0].target == "Hund 0"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": "review"}, "task.target is required"),
        ({"text": "revue", "target": "sentiment"}, "has no column 'revue' (did you mean 'review'?)"),
        ({"text": "review", "target": "sentimant"}, "has no column 'sentimant' (did you mean 'sentiment'?)"),
        ({**TEXT, "kind": "clasification"}, "task.kind must be one of classification"),
        ({"metrics": "mcc"}, "name the columns, as in 'reviews.csv?text=review&target=verdict'"),
        ({**TEXT, "templates": "{titel}:"}, "has no column 'titel'"),
        ({**TEXT, "templates": "{review"}, "'{review' can't be read"),
        ({**TEXT, "templates": "Good?"}, "'Good?' shows no column"),
        ({**TEXT, "templates": "{review}{}"}, "has no column ''"),
        ({**TEXT, "templates": "{sentiment}:"}, "the answer would be given away"),
        ({**TEXT, "metric": "mcc"}, "unknown field 'task.metric' (did you mean 'metrics'?)"),
        ({**TEXT, "metrics": "f2"}, "unknown metric 'f2' (did you mean 'f1'?)"),
        ({**TEXT, "verbalizers": [" a"]}, "task.verbalizers needs one for each label (bad, good); got 1"),
        ({**TEXT, "kind": "multiple_choice"}, "task.choices: multiple_choice needs"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        own_task(write(tmp_path / "reviews.csv", ROWS), settings)
    assert message in str(caught.value)


def test_one_class(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'sentiment' has 1 label \(bad\): a classifier needs two"):
        own_task(write(tmp_path / "reviews.csv", ROWS[::2]), TEXT)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none.csv", None, SourceError),
        ("empty.csv", "", SourceError),
        ("header.csv", "review,sentiment\n", SourceError),
        ("broken.jsonl", '{"review": ', SourceError),
        ("broken.parquet", "PAR1", SourceError),
        ("numbers.jsonl", "3\n4", SourceError),
        ("lists.jsonl", "[1, 2]", SourceError),
        ("ragged.csv", "review,sentiment\na,good\nb,bad,worse", SourceError),
        ("broken.toml", "file = ", SpecError),
        ("nothing.toml", 'text = "review"', SpecError),
        ("table.xlsx", "", SpecError),
    ],
)
def test_unreadable_files(name: str, content: str | None, error: type[HarnessError], tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=name):
        own_task(tmp_path / name, TEXT)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_row_without_the_target_s_column(kind: str, tmp_path: Path) -> None:
    rows = [*ROWS[:20], {"review": "a film"}]
    target = "stars" if kind == "regression" else "sentiment"
    file = write(tmp_path / "hole.jsonl", rows)
    with pytest.raises(SourceError, match=rf"hole\.jsonl, line 21: no column '{target}'"):
        own_task(file, {"text": "review", "target": target, "kind": kind})


def test_an_answer_that_is_no_choice(tmp_path: Path) -> None:
    rows = [{"q": f"q {n}", "a": "x", "b": "y", "right": "z"} for n in range(30)]
    settings = {"kind": "multiple_choice", "text": "q", "target": "right", "choices": ["a", "b"]}
    with pytest.raises(SourceError, match=r"target 'z' is neither one of the choices \(x, y\) nor its letter"):
        load(own_task(write(tmp_path / "q.csv", rows), settings))


def test_a_name_carries_the_settings_of_the_command_line(tmp_path: Path) -> None:
    file = write(tmp_path / "reviews.csv", ROWS)
    name = f"{file}?text=review&text=stars&target=sentiment&templates=Review: {{review}}\\nVerdict:&metrics=mcc"
    task = find_task(name)
    assert (task.name, task.text, task.metrics) == (name, ("review", "stars"), ("mcc",))
    assert task.templates == ("Review: {review}\nVerdict:",)
    assert load(task)[1].sizes["test"] == 12
    with pytest.raises(SpecError, match=r"a task's file must end in \.csv, .*; got 'sst2\.cvs'"):
        find_task("sst2.cvs?text=a&target=b")
