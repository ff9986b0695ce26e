"""Counting of operations."""

import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.measure.hardware import autocast
from harness.probe import Served
from harness.probes._serving import answer
from harness.probes._states import device_of
from harness.task import Example

SIDE = 1024
"""Of the matrices whose product is the machine's peak."""


def counted_answer(served: Served, example: Example) -> int:
    """Operations of one answer."""
    # Fused attention on a processor is not known to the counter, its products are.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        answer(served, [example])
    return int(counter.get_total_flops())


def counted_step(served: Served, example: Example) -> tuple[int, float]:
    """Operations of learning from one example, and the seconds that it takes when nothing is counted."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        _learn(served, example)
    started = time.perf_counter()
    _learn(served, example)
    return int(counter.get_total_flops()), time.perf_counter() - started


def _learn(served: Served, example: Example) -> None:
    model, formulation = served.model, served.formulation
    rows = formulation.encode_training([example])
    batch = formulation.collate(rows, device_of(model))
    with autocast(device_of(model), formulation.spec.training.precision):
        loss = formulation.losses(model, batch).sum()
    loss.backward()
    model.zero_grad()
    if device_of(model).type == "cuda":
        torch.cuda.synchronize()


def peak_flops(served: Served) -> float:
    """Operations a second of the best of five products, in the run's precision and where the model is."""
    is_half = served.formulation.spec.training.precision == "bf16"
    dtype = torch.bfloat16 if is_half else torch.float32
    a, b = (torch.rand(SIDE, SIDE, device=device_of(served.model), dtype=dtype) for _ in range(2))
    return 2 * SIDE**3 / min(_timed_product(a, b) for _ in range(5))


def _timed_product(a: torch.Tensor, b: torch.Tensor) -> float:
    started = time.perf_counter()
    float((a @ b)[0, 0])  # waits for a GPU too
    return time.perf_counter() - started
