"""Privacy."""

from typing import TYPE_CHECKING, ClassVar

from harness.probe import Probe, Quantity

if TYPE_CHECKING:
    from harness.storage.record import Record


def _epsilon(run: "Record") -> float | None:
    """What training had spent by its last validation."""
    return run.curve[-1].get("dp_sgd/epsilon") if run.curve else None


class Privacy(Probe):
    """The epsilon of a differentially private training (recipe dp_sgd), at the recipe's delta; others have none."""

    source: ClassVar[str] = "Dwork and Roth 2014, definition 2.4, https://doi.org/10.1561/0400000042"
    is_standard: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("epsilon", "privacy spent by dp_sgd in training, at its delta", read=_epsilon),
    )
