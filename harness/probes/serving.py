"""What answers cost once the model is put to use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from harness.core.errors import Unsupported
from harness.probe import Measured, Probe, Quantity, Served, Subject, Values
from harness.statistics.measured import mean_of, resampled

if TYPE_CHECKING:
    from harness.task import Example

BATCHES = (1, 8, 64)


class Serving(Probe):
    """Latency and throughput from text to answer, of the model with its adapter and of the merged one.

    Requests come one after another, on as many threads as the run had; the base's quantization is the run's.
    Merged quantities are left out where the method can't be merged.
    """

    source: ClassVar[str] = "Reddi et al. 2020, https://arxiv.org/abs/1911.02549 (single stream)"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("latency_p50_seconds", "median time of an answer, one at a time", "s"),
        Quantity("latency_p95_seconds", "what 95 % of answers take at most, one at a time", "s"),
        *(
            Quantity(f"answers_per_second_batch_{n}", f"throughput in batches of {n}", higher_is_better=True)
            for n in BATCHES
        ),
        Quantity("merged_latency_p50_seconds", "median time of an answer of the merged model", "s"),
        Quantity("merged_latency_p95_seconds", "what 95 % of the merged model's answers take at most", "s"),
        *(
            Quantity(
                f"merged_answers_per_second_batch_{n}", f"the merged model's in batches of {n}", higher_is_better=True
            )
            for n in BATCHES
        ),
    )

    n_requests: int = Field(40, ge=5, description="Requests of one example that are timed.")
    n_batches: int = Field(5, ge=2, description="Requests of each larger batch.")

    def after(self, subject: Subject) -> Values:
        """Of both models, one after the other."""
        examples = subject.splits["test"]
        found = self._timed(subject.served(), examples)
        try:
            merged = self._timed(subject.served(merged=True), examples)
        except Unsupported:
            return found
        return found | {f"merged_{name}": value for name, value in merged.items()}

    def _timed(self, served: Served, examples: "Sequence[Example]") -> dict[str, Measured]:
        from harness.probes._serving import seconds

        single = np.array(seconds(served, examples, 1, self.n_requests))
        found = {
            "latency_p50_seconds": resampled(lambda at: float(np.median(single[at])), len(single)),
            "latency_p95_seconds": resampled(lambda at: float(np.percentile(single[at], 95)), len(single)),
        }
        for n in BATCHES:
            took = single if n == 1 else np.array(seconds(served, examples, n, self.n_batches))
            rate = mean_of(n / took, [f"request {number}" for number in range(len(took))])
            found[f"answers_per_second_batch_{n}"] = Measured(rate.value, rate.interval)
        return found
