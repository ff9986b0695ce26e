"""What answers cost once the model is put to use."""

from contextlib import suppress
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.core.errors import Unsupported
from harness.probe import Measured, Probe, Quantity, Subject, Values
from harness.statistics.intervals import Floats
from harness.statistics.measured import mean_of, resampled

BATCHES = (1, 8, 64)


class Serving(Probe):
    """Latency and throughput from text to answer, of the model with its adapter and of the merged one.

    Requests come one after another, to both in turn, on as many threads as the run had; the base's quantization is the
    run's.
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
        """Of both models, in turn."""
        from harness.probes._serving import seconds

        models = {"": subject.served()}
        with suppress(Unsupported):
            models["merged_"] = subject.served(merged=True)
        examples, found = subject.splits["test"], {}
        for n in BATCHES:
            timed = seconds(list(models.values()), examples, n, self.n_requests if n == 1 else self.n_batches)
            for name, took in zip(models, map(np.array, timed), strict=True):
                rate = mean_of(n / took, [str(number) for number in range(len(took))])
                found[f"{name}answers_per_second_batch_{n}"] = Measured(rate.value, rate.interval)
                if n == 1:
                    found |= {f"{name}latency_{part}_seconds": one for part, one in latencies(took).items()}
        return found


def latencies(took: Floats) -> dict[str, Measured]:
    """The median and the 95th percentile of some times."""
    percentiles = {"p50": 50, "p95": 95}
    return {name: resampled(partial(_percentile, took, percent), len(took)) for name, percent in percentiles.items()}


def _percentile(took: Floats, percent: int, at: NDArray[np.int64]) -> float:
    return float(np.percentile(took[at], percent))
