"""Requests answered one batch after another, and timed."""

import time
from collections.abc import Sequence
from itertools import cycle, islice

import torch

from harness.measure.hardware import autocast
from harness.probe import Served
from harness.probes._states import device_of
from harness.task import Example

N_WARM = 3
"""Requests before the clock runs: the first ones pay for what later ones reuse."""


@torch.no_grad()
def answer(served: Served, examples: Sequence[Example]) -> None:
    """Answer a batch, from its texts to its labels."""
    model, formulation = served.model, served.formulation
    rows, device = formulation.encode(examples), device_of(model)
    with autocast(device, formulation.spec.training.precision), formulation.answering(model, rows):
        formulation.answer(model, formulation.collate(rows, device))
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(
    models: Sequence[Served], examples: Sequence[Example], batch_size: int, n_requests: int
) -> list[list[float]]:
    """What each of so many requests of a batch took of each model; examples are asked again where there are too few.

    Every request goes to all models in turn, so that what else the machine does falls on all of them.
    """
    source = cycle(examples)
    found: list[list[float]] = [[] for _ in models]
    for number in range(N_WARM + n_requests):
        batch = list(islice(source, batch_size))
        for served, times in zip(models, found, strict=True):
            started = time.perf_counter()
            answer(served, batch)
            if number >= N_WARM:
                times.append(time.perf_counter() - started)
    return found
