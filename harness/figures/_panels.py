"""What several figures are made of, without a drawing library."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.statistics.intervals import Floats

PanelPart = TypeVar("PanelPart")


@dataclass(frozen=True)
class Panel(Generic[PanelPart]):
    """One comparison of a figure: its title and the points or curves in it."""

    title: str
    parts: tuple[PanelPart, ...]


@dataclass(frozen=True)
class Curve:
    """A value at each x, and the half-width of the band around it; shapes (x,)."""

    label: str
    x: Floats
    mean: Floats
    half_width: Floats
