"""Results on disk: one folder a run, finished exactly when record.json exists."""

import hashlib
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from harness.core.errors import HarnessError, HarnessWarning, SpecError, StorageError, nearest
from harness.core.spec import RunSpec
from harness.storage.files import breaks_seal, one_line, sealed, sync, sync_tree, write_json, write_text
from harness.storage.record import Record, StoredFile

RECORD = "record.json"
NOTES = ("spec.json", "log.jsonl")
"""What nothing is read from once the run is finished."""
RUN_ID = re.compile(r"[0-9a-f]{12}")
SUPERSEDED = re.compile(r"[0-9a-f]{12}\.[1-9][0-9]*")


class Store:
    """The runs below one results folder.

    A run's folder is written by one process at a time (``writing`` holds a lock); ``record.json`` comes last, by
    rename, when all else is on the disk. A folder without it is left over from an interrupted run and is replaced by
    the next try. A record that can't be read, or that is not of the run its folder is named after, counts as none: a
    ``HarnessWarning`` names it, and the next try keeps it beside its own.

    A record knows the sizes of the run's files and the checksums of its predictions and of itself, so that damage which
    can still be read is noticed too. A file that was deleted, such as an adapter to free some room, is no damage.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.runs = results / "runs"

    def folder(self, run_id: str) -> Path:
        """Where a run lives, whether or not it exists."""
        return self.runs / run_id

    def checkpoint(self, run_id: str) -> Path:
        """Where the state of an unfinished run is kept, outside of its folder, which every try begins empty."""
        return self.results / "checkpoints" / f"{run_id}.safetensors"

    def find(self, run_id: str) -> Record | None:
        """The finished record of a run, or None; one whose files are damaged counts as none."""
        try:
            record = self._read(run_id)
            if record:
                self._check_files(record)
            return record
        except HarnessError as error:
            warnings.warn(f"{error}; the run counts as not done", HarnessWarning, stacklevel=2)
            return None

    def records(self) -> Iterator[Record]:
        """Every finished run, in the order of run_id; superseded ones are left out.

        Raises:
            SpecError: the results folder can't be read.
        """
        unreadable, n_read = [], 0
        for name in sorted(self._names()):
            if "." not in name:
                try:
                    record = self._read(name)
                except HarnessError as error:
                    unreadable.append(str(error))
                    continue
                if record:
                    n_read += 1
                    yield record
        if unreadable:
            counts = f"{len(unreadable)} of {len(unreadable) + n_read} records are left out"
            warnings.warn("\n  ".join([f"{counts}:", *unreadable]), HarnessWarning, stacklevel=2)

    def match(self, prefix: str) -> tuple[Path, Record]:
        """Folder and record of the one finished run whose id starts with ``prefix``.

        A superseded run is found by its full name only, such as ``0123456789ab.1``.

        Raises:
            SpecError: no such run, or several.
            HarnessError: its record can't be read.
        """
        superseded = bool(SUPERSEDED.fullmatch(prefix))
        ids = [name for name in self._names() if RUN_ID.fullmatch(name)]
        found = [name for name in ids if name.startswith(prefix)] if not superseded else [prefix]
        found = [name for name in found if (self.folder(name) / RECORD).exists()]
        if len(found) != 1:
            problem = f"{len(found)} runs start with" if found else "no finished run"
            raise SpecError(f"{problem} {prefix!r} in {self.runs}{nearest(prefix, ids)}; `list runs` names them")
        record = self._read(found[0])
        assert record is not None
        return self.folder(found[0]), record

    def _names(self) -> list[str]:
        """What lies in the folder of runs."""
        try:
            return os.listdir(self.runs)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SpecError(f"can't read {self.runs}: {error.strerror}; choose another --results") from None

    def _read(self, name: str) -> Record | None:
        """The record in a folder, or None where there is none.

        Raises:
            HarnessError: it can't be read, or says that it is another run's.
        """
        path = f"{self.runs}/{name}/{RECORD}"  # text: joining Paths is a tenth of a table of 10,000 runs
        try:
            with open(path, "rb", buffering=0) as file:
                content = file.readall()
            record = Record.model_validate_json(content)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise HarnessError(f"{path} is not a readable record ({one_line(error)})") from None
        if breaks_seal(content):
            raise HarnessError(f"{path} is not a readable record (it was changed: its checksum differs)")
        # A run_id names a folder: one that says anything else could name a file outside of the results.
        if not RUN_ID.fullmatch(record.run_id) or record.run_id != name.partition(".")[0]:
            raise HarnessError(f"{path} is not a readable record (its run_id, {record.run_id!r}, is not its folder's)")
        return record

    @contextmanager
    def locked(self, run_id: str) -> Iterator[None]:
        """Keep other processes from writing a run; waits until they have written it.

        Raises:
            SpecError: the results folder can't be written.
        """
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            # One lock for each path in a process: it may be taken again by who holds it.
            lock = FileLock(self.runs / f".{run_id}.lock", is_singleton=True)
            lock.acquire()
        except OSError as error:
            raise SpecError(f"can't write results to {self.results}: {error}; choose another --results") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self, run_id: str, spec: RunSpec) -> Iterator[Path]:
        """An empty folder of the run with ``spec.json`` in it, locked until the block ends.

        An earlier finished run of the same id is kept beside it as ``<run_id>.1``, ``.2``, …, and put back when the
        block ends without a record.

        Raises:
            SpecError: the results folder can't be written.
            StorageError: something in it can't be written, here or in the block.
        """
        folder = self.folder(run_id)
        with self.locked(run_id):
            earlier = None
            try:
                if (folder / RECORD).exists():
                    earlier = folder.rename(self._free_name(run_id))
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                write_json(folder / "spec.json", spec.model_dump(mode="json"))
                yield folder
            except OSError as error:
                raise StorageError(f"can't write {folder}: {error}; free some room and run it again") from None
            finally:
                if not (folder / RECORD).exists():
                    shutil.rmtree(folder, ignore_errors=True)
                    if earlier:
                        earlier.rename(folder)

    def finish(self, folder: Path, record: Record) -> Record:
        """Write ``record.json``, after all that it speaks of: from now on the run is finished.

        Returns:
            The record as it is stored, with the sizes and checksums of the run's files.
        """
        sync_tree(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in NOTES)
        files = {path.relative_to(folder).as_posix(): _described(path) for path in paths}
        finished = record.model_copy(update={"files": files})
        content = sealed(finished.model_dump(mode="json", by_alias=True, exclude={"sha256"}))
        write_text(folder / RECORD, content)
        sync(self.runs)
        return Record.model_validate_json(content)

    def _check_files(self, record: Record) -> None:
        """Compare the run's files with what its record says of them.

        Raises:
            HarnessError: one that is there can't be read, or is not what was stored.
        """
        for name, stored in record.files.items():
            path = self.folder(record.run_id) / name
            try:
                now = _described(path) if path.exists() else stored
            except OSError as error:
                raise HarnessError(f"{path} can't be read ({error})") from None
            if now != stored:
                raise HarnessError(f"{path} is not what the run stored (its size or checksum differs)")

    def _free_name(self, run_id: str) -> Path:
        number = 1
        while (self.runs / f"{run_id}.{number}").exists():
            number += 1
        return self.runs / f"{run_id}.{number}"


def _described(path: Path) -> StoredFile:
    """Size, and of what a table is made of the checksum too.

    Raises:
        OSError: the file can't be read.
    """
    size = path.stat().st_size
    if path.suffix != ".parquet":
        return StoredFile(size_bytes=size)
    with path.open("rb") as file:
        return StoredFile(size_bytes=size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
