"""Jobs of a Slurm cluster, whose nodes share the results folder. Imports no torch itself."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import psutil
from pydantic import Field

from harness.core.errors import SpecError
from harness.executor import Event, Executor, Job, lost
from harness.executors._process import Answer, last_finished, opened, serve
from harness.libraries.extras import need

SIGNAL_SECONDS = 30
"""How long before its wall time ends a job is told, so that it queues itself again."""
ANSWER_SECONDS = 0.5
"""Between two looks for answers, which are files."""
QUEUE_SECONDS = 15.0
"""Between two questions to the scheduler, which all users of a cluster share."""
STOP_SECONDS = 10.0
"""How long jobs that are called off may take to end."""


class Slurm(Executor):
    """One Slurm job a cell, sent by submitit; every node sees the results folder and this Python under the same path.

    A job that reaches its wall time queues itself again and goes on from its last `--checkpoint-every`, else from its
    start. One that a node loses ends as failed. The command waits for all of them, and calls them off when it ends.
    """

    source: ClassVar[str] = "Yoo et al. 2003, https://slurm.schedmd.com; https://github.com/facebookincubator/submitit"

    workers: int = Field(8, ge=1, description="Cells that are queued or running at the same time.")
    minutes: int = Field(60, ge=1, description="Wall time of a job.")
    chain: int = Field(3, ge=0, description="How often a job that reached its wall time is queued again.")
    cpus: int = Field(1, ge=1, description="Cores of a job; it computes on as many threads.")
    gpus: int = Field(0, ge=0, description="GPUs of a job.")
    memory_gb: float = Field(8, gt=0, description="Memory of a job; `run --dry-run` forecasts what it needs.")
    partition: str = Field("", description="Where jobs are queued; default: the cluster's own choice.")
    options: dict[str, str] = Field({}, description="Further options of sbatch, such as options.account=NAME.")
    setup: list[str] = Field([], description="Shell lines before a job, such as 'module load cuda'.")
    cluster: Literal["slurm", "local"] = Field(
        "slurm", description="local: the same on this machine without Slurm, to try it."
    )

    @property
    def n_at_once(self) -> int:
        """One cell a job."""
        return self.workers

    def submission(self, results: Path) -> str:
        """The script that sbatch is given."""
        if self.cluster == "local":
            return ""
        submitter = self._submitter(results)
        return str(submitter._make_submission_file_text(submitter._submitit_command_str, "")).strip()

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job; see the contract.

        Raises:
            SpecError: submitit or Slurm is not installed, or Slurm refuses a job.
        """
        if not jobs:
            return
        if self.cluster == "slurm" and not shutil.which("sbatch"):
            raise SpecError("there is no Slurm here (sbatch is not on the PATH); executor.slurm.cluster=local tries it")
        results = results.resolve()
        _make_private(self._folder(results))
        submitter = self._submitter(results)
        waiting, running = list(jobs), dict[Any, Job]()
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    job = waiting.pop(0)
                    running[_submitted(submitter, job, results, self.cpus)] = job
                    yield Event(job)
                sent = self._next(list(running))
                yield _ended(sent, running.pop(sent), results)
        finally:
            self._call_off(list(running))

    def _folder(self, results: Path) -> Path:
        """Of jobs, their answers and logs."""
        return results.resolve() / "runs" / ".logs" / self.cluster

    def _submitter(self, results: Path) -> Any:
        """What sends jobs, with all that a job is given."""
        shared = {"signal_delay_s": SIGNAL_SECONDS, "gpus_per_node": self.gpus or None, "setup": self.setup or None}
        shared = {name: value for name, value in shared.items() if value is not None}
        kind = _submitter_class(need("submitit", "slurm"), self.cluster)
        made = kind(self._folder(results), max_num_timeout=self.chain)
        if self.cluster == "local":
            made.update_parameters(timeout_min=self.minutes, **shared)
            return made
        made.update_parameters(
            job_name="harness",
            time=self.minutes,
            cpus_per_task=self.cpus,
            mem=f"{int(1024 * self.memory_gb)}MB",
            additional_parameters=self.options,
            **({"partition": self.partition} if self.partition else {}),
            **shared,
        )
        return made

    def _next(self, sent: Sequence[Any]) -> Any:
        """Wait until a job has answered, or is gone without an answer."""
        asked_at = time.monotonic()
        while True:
            for job in sent:
                if job.paths.result_pickle.exists():
                    return job
            if self.cluster == "local" or time.monotonic() - asked_at > QUEUE_SECONDS:
                alive, asked_at = self._alive(sent), time.monotonic()
                for job in sent:
                    # What a job answered as it was asked about counts.
                    if job not in alive and not job.paths.result_pickle.exists():
                        return job
            time.sleep(ANSWER_SECONDS)

    def _alive(self, sent: Sequence[Any]) -> list[Any]:
        """Jobs that are running or queued."""
        if self.cluster == "local":
            return [job for job in sent if not job.done()]
        listed = subprocess.run(["squeue", "--me", "--noheader", "--format=%A"], capture_output=True, text=True)
        queued = set(listed.stdout.split())
        return [job for job in sent if listed.returncode or job.job_id in queued]

    def _call_off(self, sent: Sequence[Any]) -> None:
        """End jobs; until none does anything any more, so that none writes a record when the command has ended."""
        for job in sent:
            if self.cluster == "local":
                _kill(int(job.job_id))
            else:
                job.cancel(check=False)
        deadline = time.monotonic() + STOP_SECONDS
        while self._alive(sent) and time.monotonic() < deadline:
            time.sleep(ANSWER_SECONDS)


class Task:
    """What a job does; what it is told as its wall time ends is how it is queued again."""

    def __init__(self, job: Job, results: Path, threads: int) -> None:
        self.job, self.results, self.threads = job, results, threads
        self.finished_at = last_finished(job, results)

    def __call__(self) -> Answer:
        """Do it."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # submitit ignores it, and calling off would take long
        return serve(self.job, self.results, self.threads, self.finished_at)

    def checkpoint(self) -> Any:
        """Queued again is the same: what was reached is in the run's own checkpoints."""
        return need("submitit", "slurm").helpers.DelayedSubmission(self)


def _kill(pid: int) -> None:
    """End a job of this machine with all that it has started; an interrupt, as submitit sends, may be ignored here."""
    with suppress(psutil.NoSuchProcess):
        controller = psutil.Process(pid)
        controller.suspend()  # so that it starts nothing more
        for process in (*controller.children(recursive=True), controller):
            process.kill()


def _make_private(folder: Path) -> None:
    """Jobs and answers are pickles, which run what is in them: nobody else may put one there.

    Raises:
        SpecError: somebody can, or the folder can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"can't write {folder}: {error.strerror}; choose another --results") from None
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o700)
    else:
        raise SpecError(f"{folder} belongs to another user, whose jobs this command would run; use another --results")


def _submitter_class(submitit: Any, cluster: str) -> Any:
    """Of submitit, but that of Slurm can be made where there is none, to see what it would send."""
    if cluster == "local":
        return submitit.LocalExecutor
    return type("SlurmExecutor", (submitit.SlurmExecutor,), {"affinity": classmethod(lambda _: 2)})


def _submitted(submitter: Any, job: Job, results: Path, threads: int) -> Any:
    """The job as the cluster knows it.

    Raises:
        SpecError: it was refused.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        return submitter.submit(Task(job, results, threads))
    except (FailedJobError, FailedSubmissionError) as error:
        raise SpecError(f"Slurm took no job: {' '.join(str(error).split())}") from None


def _ended(sent: Any, job: Job, results: Path) -> Event:
    """How a job ended; written here if it could not."""
    from submitit.core.utils import FailedJobError

    if not sent.paths.result_pickle.exists():
        return lost(job, results, f"Slurm job {sent.job_id} ended without an answer; its log is {sent.paths.stderr}")
    try:
        answer: Answer = sent.result()
    except FailedJobError as error:
        return lost(job, results, f"Slurm job {sent.job_id} failed: {str(error).strip().splitlines()[-1]}")
    return opened(answer)
