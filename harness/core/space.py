"""Ranges that a search may vary; methods and the training stage publish them, the search reads them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """A numeric range, both ends included; ``log`` samples the exponent uniformly, ``step`` a lattice."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    def __contains__(self, value: object) -> bool:
        """Whether a value lies between the ends (and is whole, for an integer range)."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (not self.integer or float(value).is_integer())


@dataclass(frozen=True)
class Choice:
    """A closed set of values (numbers, strings or booleans)."""

    values: tuple[int | float | str | bool, ...]

    def __contains__(self, value: object) -> bool:
        """Whether the value is one of the set."""
        return value in self.values


Space = dict[str, Range | Choice]
