"""glibc's allocator, told to keep large buffers."""

import ctypes
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGE = 1 << 30


@cache
def keep_large_buffers() -> bool:
    """Raise the thresholds above which freed memory goes back to the kernel; False where there is no glibc.

    By default every activation larger than 32 MiB is mapped, faulted in and unmapped again at each step.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGE))
