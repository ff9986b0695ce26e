"""How well a language model foresees the right answers, token by token."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.probe import Probe, Quantity, Subject


class Perplexity(Probe):
    """Perplexity of the test's targets after their prompts: exp of the mean negative log-likelihood of their tokens.

    Every token of every target counts once, as Jelinek et al. have it; a text of many tokens counts for more. Of two
    bases with other tokenizers it can't be compared.
    """

    source: ClassVar[str] = "Jelinek et al. 1977, https://doi.org/10.1121/1.2016299; the exp of transformers' own loss"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("target_perplexity", "perplexity of the test's targets, token by token"),
    )

    n_examples: int = Field(1000, ge=2, description="Test examples read, the first ones.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """An encoder foresees no text."""
        return "perplexity needs a language model; this base is an encoder" if base.kind == "encoder" else None

    def after(self, subject: Subject) -> Mapping[str, Any]:
        """Of the adapted model, with the interval over examples.

        Raises:
            SpecError: the answers are no text.
        """
        from harness.probes._targets import target_losses
        from harness.statistics.measured import resampled

        losses, n_tokens = target_losses(subject, subject.splits["test"][: self.n_examples])

        def perplexity(at: Any) -> float:
            return float(np.exp((losses[at] * n_tokens[at]).sum() / n_tokens[at].sum()))

        return {"target_perplexity": resampled(perplexity, len(losses))}
