"""Faults put into real suites and searches of tiny models: `make faults`, or `python -m tests.bench.faults`.

Prints a table, written to `--out`: for each kind of fault how often it was injected, finished records that were lost,
records counted twice or half, and reruns whose answers equal those of an undisturbed run, to the last bit. "Left work"
counts the injections after which something had to be done again.

Most processes are forked from one that has torch, and do a suite's jobs as a worker does: an injection takes a second.
"""

import argparse
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

from harness.core.errors import HarnessError, HarnessWarning
from harness.core.spec import merge, parse_spec
from harness.executor import Job, attempt
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.predictions import PREDICTIONS
from harness.storage.store import Store
from harness.testing.snapshots import tiny_spec

FORK = get_context("fork")
"""Processes that have torch already: an injection takes a fraction of a second."""
TRACEBACK = 70
"""Exit code of a process that ended with anything but an error of the program's own."""
Damage = Callable[[Path, random.Random], None]
"""What is done to a file."""
HANGS_SECONDS = 60.0
SEARCH = SearchSpec(trials=3, sampler="random", pruner="none")


@dataclass
class Count:
    """What became of the injections of one kind."""

    injected: int = 0
    hit: int = 0  # left something to be done again: a fault that comes too late, or harms nothing that counts, does not
    lost: int = 0
    duplicates: int = 0
    identical: int = 0
    problems: list[str] = field(default_factory=list)


class Bench:
    """A suite of four runs on a tiny base, finished once undisturbed, and faults put into copies of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        spec = tiny_spec(folder / "given")
        short = merge(spec.model_dump(), {"training": {"max_steps": 3, "precision": "fp32"}})
        specs = [
            parse_spec(merge(short, {"method": {"name": name}, "seed": seed}))
            for name in ("lora", "bitfit")
            for seed in (0, 1)
        ]
        self.jobs = [Job(identify(resolve(spec)), spec) for spec in specs]
        self.whole = folder / "whole"
        do(self.jobs, self.whole)
        self.expected = answers(self.whole)
        assert len(self.expected) == len(self.jobs)
        self.counts: dict[str, Count] = defaultdict(Count)

    def inject(self, kind: str, fault: Callable[[Path], object], *, from_whole: bool) -> None:
        """Put one fault into a copy of the results, run the suite again, and judge what is there."""
        count, results = self.counts[kind], self.folder / "results"
        if from_whole:
            shutil.copytree(self.whole, results)
        count.injected += 1
        try:
            harmed = fault(results)
            # Whatever was finished and not itself harmed is still there, once.
            before = finished(results)
            intact = {name for name in kept(results) if name not in (harmed if isinstance(harmed, set) else ())}
            count.lost += len(intact - set(finished(results, "")))
            count.duplicates += len(before) - len(set(before))
            ours = {job.id for job in self.jobs}
            count.hit += not ours.issubset(before) or any(map(is_damaged, before, [results] * len(before)))
            rerun(self.jobs, results)
            after = [name for name in finished(results) if name in ours]
            count.duplicates += max(0, len(after) - len(self.jobs))
            count.lost += max(0, len(self.jobs) - len(after))
            found = {name: value for name, value in answers(results).items() if name in ours}
            count.identical += found == self.expected
        except Exception as error:
            count.problems.append(f"{type(error).__name__}: {error}")
        finally:
            shutil.rmtree(results, ignore_errors=True)


def do(jobs: Sequence[Job], results: Path) -> None:
    """Every job, one after another, as a worker does them."""
    for job in jobs:
        attempt(job, results)


def rerun(jobs: Sequence[Job], results: Path) -> None:
    """The same suite again: what is finished is left alone; failures are tried again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        do(jobs, results)


def finished(results: Path, status: str = "ok") -> list[str]:
    """The ids that are counted as finished runs, of a status or of any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarnessWarning)
        return [record.run_id for record in Store(results).records() if status in ("", record.status)]


def is_damaged(run_id: str, results: Path) -> bool:
    """Whether a record that can be read speaks of files that are no longer what they were."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarnessWarning)
        return Store(results).find(run_id) is None


def kept(results: Path) -> set[str]:
    """The ids of runs that have a record, readable or not."""
    return {path.parent.name for path in results.glob("runs/*/record.json") if "." not in path.parent.name}


def answers(results: Path) -> dict[str, bytes]:
    """Predictions by run, as bytes."""
    return {name: (results / "runs" / name / PREDICTIONS).read_bytes() for name in finished(results)}


def cut(path: Path, rng: random.Random) -> None:
    """Lose the end of a file, as a machine that loses power does."""
    os.truncate(path, rng.randrange(max(1, path.stat().st_size)))


def zeroed(path: Path, rng: random.Random) -> None:
    """A file of its length that holds zeros from some byte on, as after a journalled crash."""
    size = path.stat().st_size
    os.truncate(path, rng.randrange(max(1, size)))
    os.truncate(path, size)


def garbage(path: Path, rng: random.Random) -> None:
    """Other bytes somewhere in a file."""
    size = path.stat().st_size
    start = rng.randrange(max(1, size))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(rng.randbytes(min(rng.randint(1, 64), max(1, size - start))))


def touched(path: Path, rng: random.Random) -> None:
    """A time of change years ago or ahead, as a clock that jumps leaves it."""
    moment = time.time() + rng.uniform(-20, 20) * 365 * 86400
    os.utime(path, (moment, moment))


def damaging(bench: Bench, pattern: str, how: Damage) -> Callable[[Path], set[str]]:
    """A fault in a random file of the results; returns the runs whose record it may have taken."""

    def fault(results: Path) -> set[str]:
        path = bench.random.choice(sorted(path for path in results.glob(pattern) if path.is_file()))
        how(path, bench.random)
        return {path.parent.name} if path.name == "record.json" and how is not touched else set()

    return fault


def killed(bench: Bench, n_processes: int, limit: Callable[[], object] | None = None) -> Callable[[Path], None]:
    """SIGKILL, at random moments, of processes that do the suite at once on one results folder."""

    def fault(results: Path) -> None:
        jobs = [bench.jobs, bench.jobs[::-1]]
        processes = [FORK.Process(target=quietly, args=(jobs[n % 2], results, limit)) for n in range(n_processes)]
        for process in processes:
            process.start()
        if limit is None:
            time.sleep(bench.random.uniform(0.0, 1.2))
        for process in processes:
            if limit is None and process.pid:
                os.kill(process.pid, signal.SIGKILL)
            ended(process)
            if process.exitcode == TRACEBACK:
                raise RuntimeError("the process ended with a traceback, not with a sentence")

    return fault


def ended(process: Any) -> None:
    """Wait for the end.

    Raises:
        TimeoutError: the process hangs.
    """
    process.join(HANGS_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"a process did not end within {HANGS_SECONDS} s")


def quietly(jobs: Sequence[Job], results: Path, limit: Callable[[], object] | None = None) -> None:
    """What a worker does, without a word; the limit is the fault."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if limit:
        limit()
    try:
        do(jobs, results)
    except HarnessError:
        os._exit(1)  # a sentence, not a traceback
    except BaseException:
        os._exit(TRACEBACK)


def full_disk(bench: Bench) -> Callable[[Path], None]:
    """Files that can't grow beyond a random size, as on a full disk."""
    size = bench.random.randrange(20_000)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return killed(bench, 1, limit)


def small_memory(bench: Bench) -> Callable[[Path], None]:
    """So little memory more that a run can't have what it needs at some point."""
    more = bench.random.randrange(4_000_000)

    def limit() -> None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + more, resource.RLIM_INFINITY))

    return killed(bench, 1, limit)


def search_killed(bench: Bench, storage: bool) -> None:
    """SIGKILL of a search at a random moment; the study resumed equals the undisturbed one."""
    kind = f"SIGKILL of a search ({'sqlite' if storage else 'journal'})"
    count, results = bench.counts[kind], bench.folder / "search"
    count.injected += 1
    url = f"sqlite:///{bench.folder}/study.db" if storage else None
    process = FORK.Process(target=search_quietly, args=(bench, results, url))
    process.start()
    time.sleep(bench.random.uniform(0.0, 2.0))
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    ended(process)
    before = set(finished(results))
    count.hit += len(before) < (SEARCH.trials or 0)
    process = FORK.Process(target=search_quietly, args=(bench, results, url))
    process.start()
    ended(process)
    count.lost += len(before - set(finished(results)))
    count.duplicates += max(0, len(finished(results)) - (SEARCH.trials or 0))
    count.identical += process.exitcode == 0 and answers(results) == searched(bench)
    shutil.rmtree(results, ignore_errors=True)
    (bench.folder / "study.db").unlink(missing_ok=True)


def search_quietly(bench: Bench, results: Path, url: str | None) -> None:
    """A search without a word."""
    from harness.search import storage

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    storage.HEARTBEAT_SECONDS = 1
    try:
        search_cell(cell(bench), SEARCH, results, storage=url)
    except HarnessError:
        os._exit(1)
    except BaseException:
        os._exit(TRACEBACK)


def search_damaged(bench: Bench, kind: str, how: Damage) -> None:
    """A damaged file of a finished study; where the search refuses it, it is moved away as the message says."""
    count, results = bench.counts[kind], bench.folder / "search"
    expected = searched(bench)
    shutil.copytree(bench.folder / "searched", results)
    count.injected += 1
    how(bench.random.choice(sorted(path for path in results.glob("studies/*") if path.is_file())), bench.random)
    exit_code = search_once(bench, results)
    if exit_code == 1:
        count.hit += 1
        shutil.rmtree(results / "studies")
        exit_code = search_once(bench, results)
    found = answers(results)
    count.lost += len(expected.keys() - found.keys())
    count.duplicates += len(found.keys() - expected.keys())
    count.identical += exit_code == 0 and found == expected
    shutil.rmtree(results)


def search_once(bench: Bench, results: Path) -> int | None:
    """A search to its end; its exit code."""
    process = FORK.Process(target=search_quietly, args=(bench, results, None))
    process.start()
    ended(process)
    return process.exitcode


def read_only(bench: Bench) -> Callable[[Path], None]:
    """Results on a file system that can't be written; it takes root to make one."""

    def fault(results: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(results)], check=True)
        try:
            process = FORK.Process(target=quietly, args=(bench.jobs, results))
            process.start()
            ended(process)
        finally:
            subprocess.run(["umount", str(results)], check=True)
        if process.exitcode != 1:
            raise RuntimeError(f"exit code {process.exitcode}, not a sentence")

    return fault


def small_disk(bench: Bench) -> Callable[[Path], None]:
    """A file system of its own that is full after so many bytes; it takes root to make one."""

    def fault(results: Path) -> None:
        size = 4096 * bench.random.randrange(4, 120)
        kept = results.with_name("kept")
        results.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(results)], check=True)
        try:
            process = FORK.Process(target=quietly, args=(bench.jobs, results))
            process.start()
            ended(process)
            shutil.copytree(results, kept)
        finally:
            subprocess.run(["umount", str(results)], check=True)
        results.rmdir()
        kept.rename(results)
        if process.exitcode == TRACEBACK:
            raise RuntimeError("the process ended with a traceback, not with a sentence")

    return fault


def changing(bench: Bench, source: str) -> Callable[[Path], None]:
    """The base's weights, or the examples, are others for a moment while the suite runs."""
    spec = bench.jobs[0].spec
    is_base = source == "base"
    path = Path(spec.base.name) / "model.safetensors" if is_base else Path(spec.task.name.partition("?")[0])
    other = bench.folder / f"other-{path.name}"
    if not other.exists():
        (other_weights if is_base else other_rows)(path, other)

    def fault(results: Path) -> None:
        before = bench.folder / "before"
        shutil.copy(path, before)
        process = FORK.Process(target=as_worker, args=(bench.jobs, results))
        process.start()
        time.sleep(bench.random.uniform(0.0, 0.5))
        os.replace(shutil.copy(other, f"{path}.new"), path)
        time.sleep(bench.random.uniform(0.0, 1.0))
        os.replace(before, path)
        ended(process)
        if process.exitcode == TRACEBACK:
            raise RuntimeError("the process ended with a traceback, not with a sentence")

    return fault


def as_worker(jobs: Sequence[Job], results: Path) -> None:
    """``quietly``, with what a worker keeps between its jobs."""
    from harness.bases.load import keep_bases

    keep_bases()
    quietly(jobs, results)


def other_weights(path: Path, to: Path) -> None:
    """The same tensors, larger."""
    from safetensors.torch import load_file, save_file

    save_file({name: 1.5 * tensor for name, tensor in load_file(path).items()}, to, metadata={"format": "pt"})


def other_rows(path: Path, to: Path) -> None:
    """Half of the rows."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.slice(0, len(table) // 2), to)


def command_killed(bench: Bench, worker_only: bool) -> Callable[[Path], None]:
    """SIGKILL of ``harness suite --workers 2`` with all its processes, or of one worker."""

    def fault(results: Path) -> None:
        spec = bench.jobs[0].spec
        file = bench.folder / "suite.toml"
        training = 'epochs = 2\nbatch_size = 16\nmax_steps = 3\nprecision = "fp32"'
        axes = f'bases = ["{spec.base.name}"]\ntasks = ["{spec.task.name}"]\nseeds = [0, 1]'
        file.write_text(f"{axes}\n[training]\n{training}\n[methods.lora]\n[methods.bitfit]\n")
        command = [sys.executable, "-m", "harness", "suite", str(file), "--workers", "2", "--results", str(results)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, start_new_session=True, text=True, **silent)  # type: ignore[call-overload]
        wait_for_worker(results)
        time.sleep(bench.random.uniform(0.0, 8.0))
        if worker_only:
            logs = sorted(results.glob("runs/.logs/worker-*.log"))
            with suppress(ProcessLookupError):
                os.kill(int(bench.random.choice(logs).stem.partition("-")[2]), signal.SIGKILL)
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, told = process.communicate(timeout=4 * HANGS_SECONDS)
        if "Traceback" in told:
            raise RuntimeError(told.strip().splitlines()[-1])

    return fault


def wait_for_worker(results: Path) -> None:
    """Wait until a worker has begun; each makes a log."""
    deadline = time.monotonic() + HANGS_SECONDS
    while not any(results.glob("runs/.logs/*")):
        if time.monotonic() > deadline:
            raise TimeoutError("no worker has begun")
        time.sleep(0.1)


def hub_that(mode: str) -> Callable[[Path], None]:
    """A hub that answers wrongly or not at all when a base is asked for: a sentence and exit code 2, in time."""

    def fault(results: Path) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (WrongHub,), {"mode": mode}))
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        asked = ["--method", "lora", "--task", "sst2", "--base", "someone/base", "--results", str(results)]
        address = f"http://127.0.0.1:{server.server_address[1]}"
        online = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(results / "hub")}
        command = [sys.executable, "-m", "harness", "run", *asked]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=3 * HANGS_SECONDS, env=os.environ | online
            )
        finally:
            server.shutdown()
            server.server_close()
        if done.returncode != 2 or "Traceback" in done.stderr or "the hub (" not in done.stderr:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[-300:]}")

    return fault


class WrongHub(BaseHTTPRequestHandler):
    """Answers every request in one wrong way."""

    mode = ""

    def do_GET(self) -> None:
        """Answer, or not."""
        if self.mode == "never":
            time.sleep(10 * HANGS_SECONDS)
            return
        self.send_response(int(self.mode) if self.mode.isdigit() else 200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        if self.mode == "slowly":
            time.sleep(10 * HANGS_SECONDS)
        with suppress(OSError):
            self.wfile.write(b"\xff{" * 50)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def cell(bench: Bench) -> Any:
    """What is searched."""
    spec = bench.jobs[0].spec.model_dump()
    return parse_spec({**spec, "method": {"name": "lora"}, "training": {"max_steps": 2, "precision": "fp32"}})


def searched(bench: Bench) -> dict[str, bytes]:
    """The answers of the undisturbed study, made once."""
    results = bench.folder / "searched"
    if not results.exists():
        process = FORK.Process(target=search_quietly, args=(bench, results, None))
        process.start()
        ended(process)
    return answers(results)


DAMAGES: dict[str, tuple[str, Damage]] = {
    "record.json cut short": ("runs/*/record.json", cut),
    "predictions cut short": ("runs/*/*.parquet", cut),
    "spec.json or log.jsonl cut short": ("runs/*/[sl]*.json*", cut),
    "adapter cut short": ("runs/*/adapter/*", cut),
    "lock cut short or filled": ("runs/.*.lock", garbage),
    "any file zeroed": ("runs/*/**/*", zeroed),
    "garbage in record.json": ("runs/*/record.json", garbage),
    "garbage in predictions": ("runs/*/*.parquet", garbage),
    "times of files jump by years": ("runs/*/**/*", touched),
}


def run_all(bench: Bench, divisor: int) -> None:
    """Every kind of fault."""
    start = time.monotonic()
    for kind, (pattern, how) in DAMAGES.items():
        for _ in range(45 // divisor):
            bench.inject(kind, damaging(bench, pattern, how), from_whole=True)
        print(f"{kind}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    for _ in range(25 // divisor):
        bench.inject("SIGKILL of a worker, as for want of memory", killed(bench, 1), from_whole=False)
        bench.inject("SIGKILL of two suites at once on one folder", killed(bench, 2), from_whole=False)
        bench.inject("full disk (a limit on files)", full_disk(bench), from_whole=False)
        bench.inject("memory limit", small_memory(bench), from_whole=False)
        bench.inject("base changes under a running suite", changing(bench, "base"), from_whole=False)
        bench.inject("data change under a running suite", changing(bench, "data"), from_whole=False)
    for _ in range(20 // divisor):
        search_killed(bench, storage=False)
        search_damaged(bench, "journal or record of a study cut short", cut)
        search_damaged(bench, "garbage in journal or record of a study", garbage)
    for _ in range(5 // divisor):
        search_killed(bench, storage=True)
        bench.inject("SIGKILL of `suite --workers 2`", command_killed(bench, False), from_whole=False)
        bench.inject("SIGKILL of one of its workers", command_killed(bench, True), from_whole=False)
    if os.geteuid() == 0:
        for _ in range(20 // divisor):
            bench.inject("full disk (a small file system)", small_disk(bench), from_whole=False)
            bench.inject("read-only results", read_only(bench), from_whole=True)
    for mode in ("429", "500", "garbage", "slowly", "never"):
        for _ in range(2 // divisor):
            bench.inject(f"hub answers {mode}", hub_that(mode), from_whole=True)


def rows(counts: dict[str, Count]) -> Iterator[str]:
    """Lines of the table."""
    yield "| fault | injected | left work | records lost | duplicates | reruns identical |"
    yield "|---|--:|--:|--:|--:|--:|"
    total = Count()
    for kind, count in counts.items():
        yield f"| {kind} | {count.injected} | {count.hit} | {count.lost} | {count.duplicates} | {count.identical} |"
        for name in ("injected", "hit", "lost", "duplicates", "identical"):
            setattr(total, name, getattr(total, name) + getattr(count, name))
    yield f"| all | {total.injected} | {total.hit} | {total.lost} | {total.duplicates} | {total.identical} |"


def main() -> None:
    """Inject, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/tables/faults.md"))
    parser.add_argument("--divisor", type=int, default=1, help="Divides the number of injections.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HARNESS_CACHE_DIR"] = f"{folder}/cache"
        bench = Bench(Path(folder), given.seed)
        run_all(bench, given.divisor)
    about = f"`python -m tests.bench.faults`, {datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}"
    lines = [f"{about}, {os.cpu_count()} cores, seed {given.seed}.", "", *rows(bench.counts)]
    lines += [f"\n{kind}: {problem}" for kind, count in bench.counts.items() for problem in count.problems]
    given.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
