"""What is real and may be out of reach: a test that needs it is skipped without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.core.errors import SourceError


@contextmanager
def needed() -> Iterator[None]:
    """Skip the test where a package asset can't be fetched; any other failure stays one."""
    try:
        yield
    except SourceError as error:
        if "package index" not in str(error):
            raise
        pytest.skip(str(error))


def base(name: str) -> str:
    """The name of a registered base that is there."""
    from harness.bases.info import snapshot

    with needed():
        snapshot(name)
    return name
