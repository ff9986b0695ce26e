"""A time limit on what a file from outside makes this process do."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.core.errors import SpecError


@contextmanager
def deadline(seconds: float, message: str) -> Iterator[None]:
    """End what runs inside after so many seconds; a timer that was set outside goes on.

    Python's own code is ended, a call into C at its return. Only a program's main thread can be ended so, and not on
    Windows: elsewhere there is no limit.

    Raises:
        SpecError: the time was up; ``message`` says of what.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SpecError(message)

    handler = signal.signal(signal.SIGALRM, end)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, interval)
