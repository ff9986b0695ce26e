"""A user's own transform of rows: where it acts, what is recorded, and what is told when it is wrong."""

from pathlib import Path

import pytest

from harness import data
from harness.core.errors import SourceError, SpecError
from harness.core.spec import TaskSpec
from harness.data.tasks import find_task
from harness.storage.record import DataInfo
from harness.task import Splits, Task, declaration

MODULE = '''
from json import dumps

def clean(row):
    """Lower case, labels from stars, nothing without words."""
    if not row["review"].strip("!"):
        return None
    return {"review": row["review"].lower(), "verdict": "good" if int(row["stars"]) > 2 else "bad"}

def fails(row):
    return row["stars"].missing

def listed(row):
    return list(row)

def none_left(row):
    return None

class Clean: pass
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [f"GREAT Film {n},{n % 5}" for n in range(60)] + ["!!!,4", "!,0"]
    (tmp_path / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")
    (tmp_path / "own_rows_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def named(folder: Path, transform: str) -> Task:
    return find_task(f"{folder}/reviews.csv?text=review&target=verdict&transform={transform}")


def load(task: Task) -> tuple[Splits, DataInfo]:
    return data.load(task, TaskSpec(name=task.name), 0)


def test_rows_are_changed_before_anything_else(folder: Path) -> None:
    """Labels, columns and the fingerprint are those of the made rows; what is left out is counted."""
    task = named(folder, "own_rows_of_a_test:clean")
    splits, info = load(task)
    assert task.labels == ("bad", "good")
    assert {e.fields["review"].islower() for e in splits.train} == {True}
    assert all(task.labels[e.target] == ("bad", "good")[int(e.id.split("/")[1]) % 5 > 2] for e in splits.train)  # type: ignore[index]
    assert "2 train rows by own_rows_of_a_test:clean left out" in info.notes()
    assert declaration(task)["transform"] == "own_rows_of_a_test:clean"
    (folder / "by_hand.csv").write_text(
        "review,verdict\n" + "\n".join(f"great film {n},{'good' if n % 5 > 2 else 'bad'}" for n in range(60)) + "\n"
    )
    plain = find_task(f"{folder}/by_hand.csv?text=review&target=verdict")
    assert load(plain)[1].fingerprint == info.fingerprint
    assert "transform" not in declaration(plain)


def test_a_description_may_name_it(folder: Path) -> None:
    (folder / "reviews.toml").write_text(
        'file = "reviews.csv"\ntext = "review"\ntarget = "verdict"\ntransform = "own_rows_of_a_test:clean"\n'
    )
    assert load(find_task(str(folder / "reviews.toml")))[1].sizes["train"] > 40


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("clean", "task.transform is module:function, such as my_data:clean; got 'clean'"),
        ("no_such_module_of_mine:clean", "no_such_module_of_mine can't be imported: ModuleNotFoundError"),
        ("own_rows_of_a_test:cleen", "defines no function 'cleen' (did you mean 'clean'?)"),
        ("own_rows_of_a_test:dumps", "defines no function 'dumps'"),
        ("own_rows_of_a_test:Clean", "defines no function 'Clean'"),
        ("os:remove", "must be a function of your own, not of the standard library; got 'os:remove'"),
    ],
)
def test_what_is_no_function_of_ones_own_is_refused(transform: str, message: str, folder: Path) -> None:
    with pytest.raises(SpecError) as raised:
        named(folder, transform)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("fails", "reviews.csv, line 2: own_rows_of_a_test:fails raised AttributeError: 'str' object has no"),
        ("listed", "line 2: own_rows_of_a_test:listed must return a dict of cells by column, or None; got ['review',"),
        ("none_left", "reviews.csv: own_rows_of_a_test:none_left leaves no row"),
    ],
)
def test_a_row_that_it_cannot_make_is_named(transform: str, message: str, folder: Path) -> None:
    with pytest.raises(SourceError) as raised:
        named(folder, f"own_rows_of_a_test:{transform}")
    assert message in str(raised.value)
