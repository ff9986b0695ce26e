"""Faults put into real suites and searches of tiny models: `make faults`, or `python -m tests.bench.faults`.

Prints a table, written to `--out`: for each kind of fault how often it was injected, finished records that were lost,
records counted twice or half, and reruns whose answers equal those of an undisturbed run, to the last bit. "Left work"
counts the injections after which something had to be done again.

Processes are forked from one that has torch, and do the suite's jobs as a worker does: an injection takes a second.
"""

import argparse
import os
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
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
            count.lost += len(intact - set(before))
            count.duplicates += len(before) - len(set(before))
            count.hit += len(before) < len(self.jobs) or any(map(is_damaged, before, [results] * len(before)))
            rerun(self.jobs, results)
            after = finished(results)
            count.duplicates += max(0, len(after) - len(self.jobs))
            count.lost += max(0, len(self.jobs) - len(after))
            count.identical += answers(results) == self.expected
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


def finished(results: Path) -> list[str]:
    """The ids that are counted as finished runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarnessWarning)
        return [record.run_id for record in Store(results).records() if record.status == "ok"]


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


def damaging(bench: Bench, pattern: str, how: Callable[[Path, random.Random], None]) -> Callable[[Path], set[str]]:
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
    more = bench.random.randrange(1, 64) * 1_000_000

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
    search_cell(cell(bench), SEARCH, results, storage=url)


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


DAMAGES: dict[str, tuple[str, Callable[[Path, random.Random], None]]] = {
    "record.json cut short": ("runs/*/record.json", cut),
    "predictions cut short": ("runs/*/*.parquet", cut),
    "spec.json or log.jsonl cut short": ("runs/*/*.json*", cut),
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
    for _ in range(20 // divisor):
        search_killed(bench, storage=False)
    for _ in range(5 // divisor):
        search_killed(bench, storage=True)


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
