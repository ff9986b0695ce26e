"""Where studies live, and what happens to the trials of a process that died.

A journal file (default) is shared by processes of one machine, a database by machines. Either way a trial whose process
is gone is run again with the parameters it had, so none is lost, and only its last try counts.
"""

import os
import socket
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import (
    BaseStorage,
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
    fail_stale_trials,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from harness.core.errors import HarnessError, SpecError
from harness.libraries.optuna import trial_id
from harness.search.journal import open_journal
from harness.search.url import masked, without_secrets

EXAMPLES = "a database is given as sqlite:///studies.db or postgresql://user:password@host/name"

WORKER = "worker"
"""User attribute of a trial: the process that runs it."""

STARTED = "started"
"""User attribute of a trial: its number, and when it was claimed in seconds since 1970 (UTC).

Optuna's own times are local, so they jump with the time of the year and differ between machines. A retry has its
predecessor's attributes until it is claimed, so the number tells whose time it is."""

HEARTBEAT_SECONDS = 30
"""A process tells a database this often that its trial is alive; twice as long without a word, and it is dead."""


class SharedStorage(Protocol):
    """A storage that several processes may use for one study at the same time."""

    storage: BaseStorage

    def turn(self) -> AbstractContextManager[object]:
        """Hold what must not change between looking at a study and claiming a new trial of it."""

    def claim(self, trial: Trial) -> None:
        """Mark a new trial as this process's and end the turn."""

    def requeue_dead(self, study: Study) -> None:
        """Queue the trials of dead processes again; called within a turn."""

    def close(self) -> None:
        """Let go of this process's trials."""


@contextmanager
def open_storage(url: str | None, folder: Path, name: str) -> Iterator[SharedStorage]:
    """The storage of a study: a database URL as Optuna takes it, or by default ``<name>.journal`` in the folder.

    Raises:
        SpecError: the folder can't be written, or the database can't be reached or used.
        HarnessError: the database failed later.
    """
    shared: SharedStorage
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shared = JournalFile(folder / f"{name}.journal") if url is None else DatabaseStorage(url)
    except OSError as error:
        raise SpecError(f"can't write studies to {folder}: {error}; choose another --results") from None
    try:
        yield shared
    except (SQLAlchemyError, StorageInternalError) as error:
        raise HarnessError(f"lost --storage {masked(url or '')}: {_reason(error, url or '')}; search again") from None
    finally:
        shared.close()


class JournalFile:
    """A journal file; a process is alive as long as it holds its lock, which the system frees when it dies.

    A trial of a dead process goes back to the queue under its own number, as if it had not been started.
    """

    def __init__(self, path: Path) -> None:
        self.storage: BaseStorage = open_journal(path)
        self._turn = FileLock(path.with_suffix(".lock"))
        self._workers = path.with_suffix(".workers")
        self._workers.mkdir(exist_ok=True)
        self._me = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._alive = FileLock(self._workers / self._me)
        self._alive.acquire()

    def turn(self) -> AbstractContextManager[object]:
        """One process at a time."""
        return self._turn

    def claim(self, trial: Trial) -> None:
        """Mark the trial and let others have their turn."""
        trial.set_user_attr(WORKER, self._me)
        self._turn.release()

    def requeue_dead(self, study: Study) -> None:
        """A running trial without a mark is dead too: its process was killed in its turn, which is ours now."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self._is_alive(trial.user_attrs.get(WORKER)):
                self.storage.set_trial_user_attr(trial_id(trial), STARTED, None)
                self.storage.set_trial_state_values(trial_id(trial), TrialState.WAITING)

    def _is_alive(self, worker: str | None) -> bool:
        if worker is None:
            return False
        try:
            with FileLock(self._workers / worker, timeout=0):
                return False
        except Timeout:
            return True

    def close(self) -> None:
        """No longer hold the lock."""
        self._alive.release()
        (self._workers / self._me).unlink(missing_ok=True)


class DatabaseStorage:
    """A database; a process is alive as long as it sends heartbeats.

    A trial of a dead process becomes FAIL, and a copy of it, with the same parameters, is queued.
    """

    def __init__(self, url: str) -> None:
        self._retry = _quietly(RetryHeartbeatStaleTrialCallback)
        self._grace_seconds = 2 * HEARTBEAT_SECONDS
        self._unclaimed_since: dict[int, float] = {}
        self._database = self._connect(url)
        self.storage: BaseStorage = self._database

    def _connect(self, url: str) -> RDBStorage:
        for attempt in reversed(range(3)):
            try:
                return _quietly(
                    RDBStorage,
                    url.replace("{", "{{").replace("}", "}}"),  # Optuna formats it
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=self._grace_seconds,
                    heartbeat_stale_trial_callback=self._retry,
                )
            except Exception as error:  # of SQLAlchemy, of Optuna, or of whichever driver the URL names
                # Another process may be creating Optuna's tables at this moment.
                if not isinstance(error, IntegrityError | ProgrammingError) or not attempt:
                    raise SpecError(f"can't use --storage {masked(url)}: {_reason(error, url)}; {EXAMPLES}") from None
                time.sleep(1)
        raise AssertionError

    def turn(self) -> AbstractContextManager[object]:
        """No machine can keep others out: a trial too many is noticed after it is claimed, and dropped."""
        return nullcontext()

    def claim(self, trial: Trial) -> None:
        """Send the first heartbeat, then mark the trial: one that is marked can always be found dead."""
        self._database.record_heartbeat(trial_id(trial))
        trial.set_user_attr(WORKER, [trial.number, socket.gethostname(), os.getpid()])

    def requeue_dead(self, study: Study) -> None:
        """Also those without a mark, which Optuna's heartbeats miss: killed before the first heartbeat.

        A retry has its predecessor's mark until it is claimed, so the mark names the trial.
        """
        _quietly(fail_stale_trials, study)
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        now, unclaimed = time.monotonic(), [t for t in running if t.user_attrs.get(WORKER, [None])[0] != t.number]
        self._unclaimed_since = {trial_id(t): self._unclaimed_since.get(trial_id(t), now) for t in unclaimed}
        for trial in unclaimed:
            if now - self._unclaimed_since[trial_id(trial)] > self._grace_seconds:
                self._fail(study, trial)

    def close(self) -> None:
        """No longer be connected."""
        self._database.remove_session()
        self._database.engine.dispose()

    def _fail(self, study: Study, trial: FrozenTrial) -> None:
        with suppress(UpdateFinishedTrialError):
            if self.storage.set_trial_state_values(trial_id(trial), TrialState.FAIL):
                self._retry(study, trial)


def _reason(error: Exception, url: str) -> str:
    """The first line of the innermost error, without what the URL hides."""
    inner = getattr(error, "orig", None) or error.__cause__ or error
    text = str(inner) or type(inner).__name__
    return without_secrets(text, url).strip().splitlines()[0]


def _quietly(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call something that Optuna calls experimental (heartbeats have been since 2.9)."""
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        return function(*arguments, **options)
