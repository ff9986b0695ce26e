"""A parent and its worker, to be killed: `python -m tests.orphans FILE`."""

import os
import sys
import time
from multiprocessing import get_context
from pathlib import Path

from harness.executors._process import begin_worker


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
    get_context("spawn").Process(target=start_and_be_busy, args=(Path(sys.argv[1]),), daemon=True).start()
    time.sleep(60)
