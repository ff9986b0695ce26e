"""What several figures are made of, without a drawing library."""

from dataclasses import dataclass
from typing import Generic, TypeVar

PanelPart = TypeVar("PanelPart")


@dataclass(frozen=True)
class Panel(Generic[PanelPart]):
    """One comparison of a figure: its title and the points or curves in it."""

    title: str
    parts: tuple[PanelPart, ...]
