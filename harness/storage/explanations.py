"""Explanations of a run's answers that were kept beside it, one a line."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.core.errors import HarnessWarning, StorageError
from harness.storage.files import one_line, write_text

EXPLANATIONS = "explanations.jsonl"


class Explained(BaseModel):
    """A text's words with their weights for the label that was predicted.

    Args:
        text: What was answered, as the user gave it.
        attribution: How the words were weighed.
        prediction: The label's name.
        words: Of the text's first field.
        weights: One a word; positive speaks for the label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    text: str
    attribution: str
    prediction: str
    words: tuple[str, ...]
    weights: tuple[float, ...]


def keep(explained: Explained, folder: Path) -> None:
    """Add it to a run's folder, in place of one of the same text and kind.

    Raises:
        StorageError: it can't be written.
    """
    asked = (explained.text, explained.attribution)
    others = [one for one in kept(folder) if (one.text, one.attribution) != asked]
    try:
        write_text(folder / EXPLANATIONS, "".join(f"{one.model_dump_json()}\n" for one in (*others, explained)))
    except OSError as error:
        raise StorageError(f"can't write {folder / EXPLANATIONS}: {error.strerror}") from None


def kept(folder: Path) -> Sequence[Explained]:
    """Those of a run, in the order in which they were made.

    A file that is no such list is none, and a ``HarnessWarning`` names it.
    """
    try:
        lines = filter(None, (folder / EXPLANATIONS).read_text(encoding="utf-8").split("\n"))
        return [Explained.model_validate_json(line) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, ValidationError) as error:
        text = f"{folder / EXPLANATIONS} can't be read and is left out: {one_line(error)}"
        warnings.warn(text, HarnessWarning, stacklevel=2)
        return []
