"""Nodes of a Ray cluster, which share the results folder. Imports no torch itself."""

import math
import os
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psutil
from pydantic import Field

from harness.core.errors import SpecError
from harness.executor import Event, Executor, Job, lost
from harness.executors._process import (
    Answer,
    available_cores,
    interrupts_blocked,
    last_finished,
    opened,
    serve,
)
from harness.libraries.extras import need

STOP_SECONDS = 10.0
"""How long the processes of a cluster that was started for one command may take to end."""
STORE_BYTES = 100 * 2**20
"""Memory for what tasks return, of a cluster that was started for one command: records are small."""


class Ray(Executor):
    """Tasks of a Ray cluster, or of this machine; every node sees the results folder under the same path.

    A job whose node or worker process dies is done again elsewhere, as often as ``retries`` says, and is lost after
    that. What a run itself fails of is its result, and is not tried again.
    """

    source: ClassVar[str] = "Moritz et al. 2018, https://arxiv.org/abs/1712.05889"

    workers: int = Field(1, ge=1, description="Cells at the same time, as far as the cluster has room.")
    cpus: float = Field(1, gt=0, description="Cores that a cell asks for; it computes on as many threads.")
    gpus: float = Field(0, ge=0, description="GPUs that a cell asks for; 0.5 lets two share one.")
    address: str = Field("", description="Of the head node, host:port, or auto; without one Ray starts here.")
    retries: int = Field(3, ge=0, description="How often a cell is done again whose node or worker died.")

    @property
    def n_at_once(self) -> int:
        """One job a worker."""
        return self.workers

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job; see the contract.

        Raises:
            SpecError: Ray is not installed, there is no cluster at the address, or no node has what a cell asks for.
        """
        if not jobs:
            return
        ray = need("ray", "ray")
        with self._connected(ray):
            n_at_once = min(self.workers, self._room(ray))
            waiting, running = list(jobs), dict[Any, Job]()
            if not n_at_once:
                asked = f"{self.cpus:g} cores and {self.gpus:g} GPUs"
                raise SpecError(f"no node of the Ray cluster has {asked}; lower executor.ray.cpus or executor.ray.gpus")
            try:
                while waiting or running:
                    while waiting and len(running) < n_at_once:
                        job = waiting.pop(0)
                        running[self._submitted(ray, job, results.resolve())] = job
                        yield Event(job)
                    [task], _ = ray.wait(list(running))
                    yield _ended(ray, task, running.pop(task), results)
            finally:
                for task in running:
                    ray.cancel(task, force=True)
                _wait_until_over(ray, list(running))

    def _submitted(self, ray: Any, job: Job, results: Path) -> Any:
        """The task that does a job."""
        asked = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": self.retries, "retry_exceptions": False}
        threads = max(1, int(self.cpus))
        task = ray.remote(serve).options(**asked, name=job.id)
        return task.remote(job, results, threads, last_finished(job, results))

    def _room(self, ray: Any) -> int:
        """How many jobs the nodes can do at the same time."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        by_gpu = [node.get("GPU", 0) // self.gpus if self.gpus else math.inf for node in nodes]
        return sum(int(min(node.get("CPU", 0) // self.cpus, gpus)) for node, gpus in zip(nodes, by_gpu, strict=True))

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Be a driver of the cluster; one that was started for it ends with the block."""
        before = _processes()
        quiet = {"log_to_driver": False, "configure_logging": False}
        here = {"num_cpus": available_cores(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to Ray's makers
        on_end = signal.getsignal(signal.SIGTERM)
        try:
            with interrupts_blocked():
                ray.init(self.address or "local", **quiet, **({} if self.address else here))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise SpecError(f"executor.ray.address {self.address!r}: no Ray cluster answers ({error})") from None
        try:
            signal.signal(signal.SIGTERM, on_end)  # Ray sets one of its own
            yield
        finally:
            ray.shutdown()
            signal.signal(signal.SIGTERM, on_end)
            if not self.address:
                _end(_processes() - before)


def _ended(ray: Any, task: Any, job: Job, results: Path) -> Event:
    """How a job ended; written here if no worker could."""
    try:
        answer: Answer = ray.get(task)
    except ray.exceptions.RayError as error:
        sentence = " ".join(str(error).split("\n")[0].split())
        return lost(job, results, f"the worker process or its node died ({type(error).__name__}: {sentence})")
    return opened(answer)


def _wait_until_over(ray: Any, tasks: list[Any]) -> None:
    """Until no worker does any of them any more, so that none writes a record when the command has ended."""
    if tasks:
        ray.wait(tasks, num_returns=len(tasks), timeout=STOP_SECONDS)


def _processes() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _end(processes: set[psutil.Process]) -> None:
    """Wait until processes have ended, and see to it that they do."""
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
