"""Results on disk: one folder a run, finished exactly when record.json exists."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from harness.errors import HarnessError, SpecError, nearest
from harness.record import Record
from harness.spec import RunSpec


class Store:
    """The runs below one results folder.

    A run's folder is written by one process at a time (``writing`` holds a lock); ``record.json`` comes last, by
    rename. A folder without it is left over from an interrupted run and is replaced by the next try.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.runs = results / "runs"

    def folder(self, run_id: str) -> Path:
        """Where a run lives, whether or not it exists."""
        return self.runs / run_id

    def find(self, run_id: str) -> Record | None:
        """The finished record of a run, or None.

        Raises:
            HarnessError: the file can't be read as a record of this schema.
        """
        path = f"{self.runs}/{run_id}/record.json"  # text: joining Paths is a tenth of a table of 10,000 runs
        try:
            with open(path, "rb", buffering=0) as file:
                return Record.model_validate_json(file.readall())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            message = f"{path} is not a readable record ({error}); delete its folder and run it again"
            raise HarnessError(message) from None

    def records(self) -> Iterator[Record]:
        """Every finished run, in the order of run_id; superseded ones are left out."""
        for name in sorted(os.listdir(self.runs)) if self.runs.exists() else []:
            if "." not in name and (record := self.find(name)):
                yield record

    def match(self, prefix: str) -> Record:
        """The one finished run whose id starts with ``prefix``.

        Raises:
            SpecError: no such run, or several.
        """
        ids = [path.parent.name for path in self.runs.glob("*/record.json")]
        found = [run_id for run_id in ids if run_id.startswith(prefix)]
        exact = [run_id for run_id in found if run_id == prefix or len(found) == 1]
        record = self.find(exact[0]) if exact else None
        if record is None:
            problem = f"{len(found)} runs start with" if found else "no finished run"
            raise SpecError(f"{problem} {prefix!r} in {self.runs}{nearest(prefix, ids)}; `list runs` names them")
        return record

    @contextmanager
    def writing(self, run_id: str, spec: RunSpec) -> Iterator[Path]:
        """An empty folder of the run with ``spec.json`` in it, held by this process until the block ends.

        An earlier finished run of the same id is kept beside it as ``<run_id>.1``, ``.2``, …, and put back when the
        block ends without a record. Waits while another process writes the same run.

        Raises:
            SpecError: the results folder can't be written.
        """
        folder = self.folder(run_id)
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.runs / f".{run_id}.lock")
            lock.acquire()
        except OSError as error:
            raise SpecError(f"can't write results to {self.results}: {error}; choose another --results") from None
        earlier = self._free_name(run_id) if (folder / "record.json").exists() else None
        try:
            if earlier:
                folder.rename(earlier)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write_json(folder / "spec.json", spec.model_dump(mode="json"))
            yield folder
        finally:
            if not (folder / "record.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
                if earlier:
                    earlier.rename(folder)
            lock.release()

    def finish(self, folder: Path, record: Record) -> None:
        """Write ``record.json``: from now on the run is finished."""
        write_json(folder / "record.json", record.model_dump(mode="json", by_alias=True))

    def _free_name(self, run_id: str) -> Path:
        number = 1
        while (self.runs / f"{run_id}.{number}").exists():
            number += 1
        return self.runs / f"{run_id}.{number}"


def write_json(path: Path, data: object) -> None:
    """Write JSON so that the file is either whole or absent."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
