"""The figure contract: one picture of the finished runs, with its options on the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.plugins import Plugin, Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


class Figure(Plugin):
    """A figure; ``harness plot NAME`` has an option for each of its fields, described as they are."""

    def draw(self, results: Path) -> "Drawing":
        """The figure of a results folder.

        Raises:
            SpecError: nothing there that it could show.
        """
        raise NotImplementedError


FIGURES = Registry("figure", "harness.figures", Figure)
"""Every figure: a file in harness/figures/, or an entry point."""
