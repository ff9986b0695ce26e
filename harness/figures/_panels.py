"""What several figures are made of, without a drawing library."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.core.errors import HarnessWarning

PanelPart = TypeVar("PanelPart")


@dataclass(frozen=True)
class Panel(Generic[PanelPart]):
    """One comparison of a figure: its title and the points or curves in it."""

    title: str
    parts: tuple[PanelPart, ...]


def tell_left_out(title: str, names: Sequence[str]) -> None:
    """Name the cells of a panel, if any, that lack a finite number on one of its axes, by a ``HarnessWarning``."""
    if names:
        text = f"{title}: not drawn, as not measured or not finite: {', '.join(names)}"
        warnings.warn(text, HarnessWarning, stacklevel=3)
