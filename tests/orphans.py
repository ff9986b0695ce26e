"""A parent and its worker, to be killed: `python -m tests.orphans pool|process FILE`."""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from harness.executors.local import begin_worker


def busy(path: Path) -> None:
    """Write this process's id and never end."""
    path.write_text(str(os.getpid()))
    while True:
        sum(range(1000))


def start_and_be_busy(path: Path) -> None:
    """A worker's way to begin, then work."""
    begin_worker(1)
    busy(path)


if __name__ == "__main__":
    kind, path = sys.argv[1], Path(sys.argv[2])
    if kind == "pool":
        pool = ProcessPoolExecutor(1, get_context("spawn"), begin_worker, (1,))
        pool.submit(busy, path)
    else:
        get_context("spawn").Process(target=start_and_be_busy, args=(path,), daemon=True).start()
    time.sleep(60)
