"""Tiny products are fastest on one thread, above all on a busy machine."""

from tests.methods.conftest import one_thread

__all__ = ["one_thread"]
