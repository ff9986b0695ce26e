"""Optuna's journal file, safe against torn lines and as durable as a study needs."""

import json
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from harness.core.errors import HarnessWarning, SpecError, StorageError
from harness.libraries.optuna import sets_a_state
from harness.storage.files import one_line

BLOCK = 4096
"""Bytes read at a time when the last line break is looked for."""


class Journal(JournalFileBackend):
    """A journal forced to the disk where a trial ends and not at each of its dozen other writes.

    What a killed process wrote is in the file either way. A machine that loses power may lose the last writes of a
    running trial, which is then run again. A line that a full disk or a crash left incomplete was never read as a
    write by anybody: it is dropped before the next one, which would else be joined to it and lost as well.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # The system frees this lock when its holder is killed; Optuna's own is waited for, 30 s.
        self.lock = FileLock(path.with_suffix(".journal.flock"))
        super().__init__(str(path), self.lock)  # type: ignore[arg-type]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write; wait for the disk if a trial's state is among it.

        Raises:
            StorageError: the disk is full.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        try:
            with self.lock, open(self.path, "r+b") as file:
                self._drop_torn_line(file)
                file.write(lines.encode())
                file.flush()
                if any(map(sets_a_state, logs)):
                    os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"can't write {self.path}: {error}; free some room and search again") from None

    def mend(self) -> None:
        """Drop an incomplete last line, and say so.

        Raises:
            ValueError: the line before is none of a journal; Optuna would notice when another one follows it.
        """
        with self.lock, open(self.path, "r+b") as file:
            self._drop_torn_line(file)
            end = file.tell()
            file.seek(end_of_lines(file, max(0, end - 1)))
            if end:
                json.loads(file.read())

    def _drop_torn_line(self, file: BinaryIO) -> None:
        """Cut an incomplete last line off; leaves the file at its end."""
        size = file.seek(0, os.SEEK_END)
        whole = end_of_lines(file, size)
        file.seek(whole)
        if whole < size:
            file.truncate()
            text = f"{self.path}: the last line is incomplete and was dropped ({size - whole} bytes); "
            warnings.warn(text + "the study goes on, a trial may be run again", HarnessWarning, stacklevel=3)


def end_of_lines(file: BinaryIO, size: int) -> int:
    """Where the last line break of a file's first ``size`` bytes ends; 0 where they have none."""
    end = size
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0


def open_journal(path: Path) -> JournalStorage:
    """The storage in a journal file, which is made if there is none.

    Raises:
        SpecError: the file is no journal.
        OSError: it can't be read or written.
    """
    journal = Journal(path)
    try:
        journal.mend()
        return JournalStorage(journal)
    except OSError:
        raise
    except Exception as error:  # Optuna replays whatever the lines say; what it stumbles over is anything
        problem = f"{path} is not a study's journal ({type(error).__name__}: {one_line(error)})"
        raise SpecError(f"{problem}; move it away and search again") from None
