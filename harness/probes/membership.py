"""Whether the model tells which examples it was trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from harness.core.seeds import derive
from harness.probe import Measured, Probe, Quantity, Subject, Values
from harness.statistics.intervals import Floats, t_quantile

if TYPE_CHECKING:
    from harness.task import Example


class Membership(Probe):
    """An attack that takes the examples of lowest loss for those trained on: train against test.

    0.5 is guessing. What a method that trains nothing has above 0.5 is not memory but how train and test differ. With a
    ``pool``, losses are kept for the stronger attack of ``harness membership``, for which other seeds are the shadows.
    """

    source: ClassVar[str] = (
        "Yeom et al. 2018, https://arxiv.org/abs/1709.01604 (the attack); DeLong et al. 1988, "
        "https://doi.org/10.2307/2531595 (the interval)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("membership_auc", "probability that an example trained on has a lower loss than one that was not"),
        Quantity("pool_loss_nats", "loss of training examples that are the same for every seed, learned or not"),
        Quantity("pool_trained_ratio", "share of these that the run was trained on"),
    )

    n_examples: int = Field(300, ge=2, description="Examples of each kind at most, drawn by the run's seed.")
    pool: int = Field(0, ge=0, description="Training examples, the same for every seed, whose losses are kept.")

    def after(self, subject: Subject) -> Values:
        """Of the model as it answers, without dropout."""
        from harness.probes._losses import losses

        rng = np.random.default_rng(derive(subject.seed, "membership"))
        members, others = (self._draw(subject.splits[split], rng) for split in ("train", "test"))
        found = {"membership_auc": auc(losses(subject, others), losses(subject, members))}
        return found | (self._pool(subject) if self.pool else {})

    def _pool(self, subject: Subject) -> dict[str, Measured]:
        from harness.probes._losses import losses
        from harness.statistics.measured import mean_of

        whole, trained = subject.pool(), {one.id for one in subject.splits["train"]}
        places = np.random.default_rng(derive(0, "membership pool")).permutation(len(whole))[: self.pool]
        examples = [whole[at] for at in np.sort(places)]
        ids = [one.id for one in examples]
        return {
            "pool_loss_nats": mean_of(losses(subject, examples), ids),
            "pool_trained_ratio": mean_of([float(name in trained) for name in ids], ids),
        }

    def _draw(self, examples: "Sequence[Example]", rng: np.random.Generator) -> "Sequence[Example]":
        return [examples[at] for at in np.sort(rng.permutation(len(examples))[: self.n_examples])]


def auc(higher: Floats, lower: Floats) -> Measured:
    """Probability that a value of the first is higher than one of the second, ties by half, with DeLong's interval.

    Each set has two values at least; two sets that no value of the other lies among tell no interval.
    """
    wins = (higher[:, None] > lower).astype(float) + 0.5 * (higher[:, None] == lower)
    value = float(wins.mean())
    variance = wins.mean(axis=1).var(ddof=1) / len(higher) + wins.mean(axis=0).var(ddof=1) / len(lower)
    half = float(t_quantile(len(higher) + len(lower) - 2)) * float(variance) ** 0.5
    return Measured(value, (value - half, value + half) if half else None)
