"""Whether canaries that were trained on are told from texts that might have been."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from harness.core.errors import Unsupported
from harness.data.canaries import secrets
from harness.probe import Measured, Probe, Quantity, Subject
from harness.statistics.intervals import Floats


class Exposure(Probe):
    """How far ahead a planted text is of others like it, by the loss of its label; the recipe `canaries` plants them.

    A rank r of n texts is log2(n / r) bits: a model that has learned none of them has 1.3 on average with 100 texts,
    one that has learned all has log2(n). The label of a text is what is asked here, not the text.
    """

    source: ClassVar[str] = "Carlini et al. 2019, definition 1 and section 4.3, https://arxiv.org/abs/1802.08232"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("canary_exposure_bits", "bits of a canary that its rank among texts like it gives away"),
    )

    n_texts: int = Field(100, ge=2, le=10_000, description="Texts that a canary is ranked among, itself one of them.")

    def after(self, subject: Subject) -> dict[str, Measured]:
        """Of the model as it answers, without dropout.

        Raises:
            Unsupported: nothing was planted.
        """
        from harness.probes._losses import losses
        from harness.recipes.canaries import Canaries, with_secret
        from harness.statistics.measured import mean_of

        recipe = next((each for each in subject.recipes if isinstance(each, Canaries)), None)
        if recipe is None:
            raise Unsupported("no canaries were trained on: add --recipe canaries")
        planted = recipe.planted(subject.splits["train"], subject.seed)
        asked = [
            with_secret(canary, secret)
            for number, canary in enumerate(planted)
            for secret in secrets(subject.seed, number, self.n_texts)
        ]
        found = losses(subject, asked).reshape(len(planted), self.n_texts)
        if (found == found[:, :1]).all():
            raise Unsupported("the model tells no text from the others that a canary could have been")
        found = exposure(found)
        return {"canary_exposure_bits": mean_of(found, [f"canary {number}" for number in range(len(planted))])}


def exposure(losses: Floats) -> Floats:
    """log2(n / rank) of the first of n losses, the lowest having rank 1; of equal ones it is in the middle.

    Args:
        losses: Shape (canaries, n).

    Returns:
        Shape (canaries,).
    """
    first = losses[:, :1]
    lower, same = (losses < first).sum(axis=1), (losses == first).sum(axis=1)
    return np.asarray(np.log2(losses.shape[1] / (lower + (same + 1) / 2)))
