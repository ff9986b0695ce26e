"""Processes that search, and that are killed while they do."""

import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.core.spec import RunSpec
from harness.search import journal as journal_module
from harness.search import storage as storage_module
from harness.search.plan import OnValidation
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from tests.search.stand_in import LORA, stand_in

# One server imports optuna once and forks; unlike this process it has no threads of torch.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.search.preloaded"])


def start(function: Any, *arguments: Any) -> BaseProcess:
    """A process that runs the function."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def search_until_write(results: Path, spec: SearchSpec, n_writes: int) -> None:
    """Search; be killed instead of the n-th write to the journal."""
    append = journal_module.Journal.append_logs
    left = [n_writes]

    def append_or_die(self: journal_module.Journal, logs: list[dict[str, Any]]) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, logs)

    journal_module.Journal.append_logs = append_or_die  # type: ignore[method-assign]
    search_cell(LORA, spec, results, run_trial=stand_in)


def search_slowly(results: Path, spec: SearchSpec, storage: str | None, log: Path) -> None:
    """Search with runs of 50 ms; write a line to the log for each run that ends."""
    storage_module.HEARTBEAT_SECONDS = 1

    def run_trial(spec: RunSpec, on_validation: OnValidation) -> Record:
        def told(step: int, metrics: dict[str, float]) -> None:
            time.sleep(0.0125)
            on_validation(step, metrics)

        record = stand_in(spec, told)
        with log.open("a") as file:
            file.write(f"{record.run_id}\n")
        return record

    search_cell(LORA, spec, results, storage=storage, run_trial=run_trial)
