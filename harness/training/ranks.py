"""Several processes that train one run: each computes its share of every step, and all make the same step.

Every process holds the whole model. The gradients of a step are summed over the processes before anything reads them
(clipping, an optimizer, importances of a method), each pass weighted as in one process: the step is the same, but for
the order in which floats are added and for what dropout drops.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn

from harness.core.errors import SpecError
from harness.core.launch import n_processes
from harness.core.seeds import derive
from harness.formulation import Row
from harness.storage.checkpoint import trainable

T = TypeVar("T")

WAIT = timedelta(days=7)
"""How long one process waits for another, which may be measuring; one that dies is noticed by the launcher."""

BUCKET = 2**24
"""Numbers of gradients that are summed at once."""


class OtherProcess(Exception):
    """Another process of the run failed: its words."""


class Apart(Exception):
    """The processes no longer hold the same weights: what they train is not one run."""


@dataclass(eq=False)
class Ranks:
    """The place of this process among those of a run; alone it costs nothing.

    ``has_failed_together`` says that an error was told to all: none is left waiting for another.
    """

    n: int = 1
    rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    has_failed_together: bool = field(default=False, init=False)
    _random: list[Tensor] | None = field(default=None, init=False)

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def shares(self, rows: Sequence[Row]) -> list[Sequence[Row]]:
        """Each process's rows of a step, of about equal length in all."""
        if self.n == 1:
            return [rows]
        ordered = sorted(rows, key=lambda row: -row.length)
        return [ordered[rank :: self.n] for rank in range(self.n)]

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of what is shared out one by one."""
        return items[self.rank :: self.n]

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in their order; plain values, as JSON has them."""
        if self.n == 1:
            return [value]
        told = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(self.device)
        lengths = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.n)]
        dist.all_gather(lengths, torch.tensor([len(told)], device=self.device))
        longest = max(int(length) for length in lengths)
        texts = [torch.zeros(longest, dtype=torch.uint8, device=self.device) for _ in range(self.n)]
        dist.all_gather(texts, nn.functional.pad(told, (0, longest - len(told))))
        pairs = zip(texts, lengths, strict=True)
        return [json.loads(text[: int(length)].cpu().numpy().tobytes()) for text, length in pairs]

    def from_first(self, value: Any = None) -> Any:
        """What the first process has."""
        return self.gather(value if self.is_first else None)[0]

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each number summed over the processes, which all have the same result."""
        if self.n == 1:
            return list(values)
        added = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(added)
        return [float(value) for value in added.tolist()]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What one process raises inside, all raise: itself, the others ``OtherProcess``."""
        if self.n == 1:
            yield
            return
        error: Exception | None = None
        try:
            yield
        except Exception as raised:
            error = raised
        if not self.sums([float(error is not None)])[0]:
            return
        self.has_failed_together = True
        told = self.gather(error and f"{type(error).__name__}: {error}")
        if error:
            raise error
        rank, words = next((rank, words) for rank, words in enumerate(told) if words)
        raise OtherProcess(f"process {rank} of {self.n}: {words}")

    @contextmanager
    def summing(self, model: nn.Module) -> Iterator[None]:
        """What is added to ``.grad`` inside is summed over the processes; what was there before is the same in all."""
        if self.n == 1:
            yield
            return
        parameters = _trained(model)
        before = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        yield
        self._sum_gradients(parameters)
        for parameter, gradient in zip(parameters, before, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    @torch.no_grad()
    def _sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum; one that no process has stays None."""
        found = self.sums([float(parameter.grad is not None) for parameter in parameters])
        for part in _buckets([parameter for parameter, n in zip(parameters, found, strict=True) if n]):
            flat = torch.cat([_gradient(parameter).flatten() for parameter in part])
            dist.all_reduce(flat)
            sizes = [parameter.numel() for parameter in part]
            for parameter, total in zip(part, flat.split(sizes), strict=True):
                parameter.grad = total.view_as(parameter).to(parameter.dtype)

    def seed(self, seed: int) -> None:
        """Begin the random numbers of this process's passes; all others are the same in every process."""
        if self.n > 1:
            with torch.random.fork_rng():
                torch.manual_seed(derive(seed, f"dropout/{self.rank}"))
                self._random = _random_state()

    @contextmanager
    def own_random(self) -> Iterator[None]:
        """Inside, torch draws numbers of this process's own: no two drop the same."""
        if self._random is None:
            yield
            return
        shared = _random_state()
        _set_random_state(self._random)
        try:
            yield
        finally:
            self._random = _random_state()
            _set_random_state(shared)

    def check_equal(self, model: nn.Module) -> None:
        """Compare what is trained, by sum and length of every tensor.

        Raises:
            Apart: naming the processes that differ from the first.
        """
        if self.n == 1:
            return
        numbers = [(float(p.double().sum()), float(p.double().norm())) for p in map(Tensor.detach, _trained(model))]
        sums = self.gather(hashlib.sha256(repr(numbers).encode()).hexdigest())
        if apart := [str(rank) for rank, one in enumerate(sums) if one != sums[0]]:
            raise Apart(
                f"the weights of process {', '.join(apart)} are not those of process 0: a recipe or method draws or "
                "decides for itself in each process, or their devices differ; train it in one process"
            )


ALONE = Ranks()
"""The one process of a run."""


@cache
def join() -> Ranks:
    """Meet the other processes that the launcher has started; ``ALONE`` where there are none.

    Raises:
        SpecError: the processes can't be joined any more.
    """
    n = n_processes()
    if n == 1:
        return ALONE
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=WAIT)
    if state.num_processes != n:
        raise SpecError(f"WORLD_SIZE is {n}, but this process began to compute alone; start it with torchrun")
    return Ranks(n, state.process_index, state.device)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return list(trainable(model).values())


def _gradient(parameter: nn.Parameter) -> Tensor:
    """At least float32: sums of bf16 would lose what one process keeps in a pass."""
    given = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return given.to(torch.promote_types(given.dtype, torch.float32))


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Parts of at most ``BUCKET`` numbers, or of one parameter."""
    part: list[nn.Parameter] = []
    for parameter in parameters:
        if part and sum(p.numel() for p in part) + parameter.numel() > BUCKET:
            yield part
            part = []
        part.append(parameter)
    if part:
        yield part


def _random_state() -> list[Tensor]:
    """Of the processor and of this process's GPU."""
    return [torch.get_rng_state()] + ([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])


def _set_random_state(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])
