"""A part of a suite's cells: what one of an array of jobs does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.core.errors import SpecError
from harness.suites.suite import Suite

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """The ``number``-th, from 1, of ``of`` parts; all parts together have every cell once."""

    number: int = 1
    of: int = 1

    @classmethod
    def of_text(cls, text: str) -> "Shard":
        """From ``i/n``.

        Raises:
            SpecError: it is no such text, or i is not among 1 to n.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise SpecError(f"--shard is i/n with i from 1 to n, such as 1/4 to 4/4; got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def share(self, cells: Sequence[T]) -> list[T]:
        """Every ``of``-th cell: neighbours, which cost about the same, go to different parts."""
        return list(cells[self.number - 1 :: self.of])


def shard_of(text: str | None, suite: Suite) -> Shard:
    """The part that is asked for, the whole without any.

    Raises:
        SpecError: a race, whose looks need the runs of all methods.
    """
    if text and suite.race:
        raise SpecError(
            "--shard has no part in a race, whose looks compare all methods; start it once, or leave out [race]"
        )
    return Shard.of_text(text) if text else Shard()
