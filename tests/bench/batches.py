"""What batches of similar length, from shuffled pools, cost in accuracy against the random ones that the harness draws.

``python -m tests.bench.batches --workers 8`` trains LoRA and all weights of `minilm` on two tasks for a few steps, with
every seed once in each order, and prints the mean difference over the seeds with its standard error and p-value.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from harness.core.seeds import derive
from harness.core.spec import RunSpec, parse_spec
from harness.formulation import Row
from tests.bench.contestants import sentences

METHODS, STEPS, POOL = ("lora", "full"), (25, 60, 200), 32
SIZES = {"train_limit": 2000, "validation_limit": 32}


@dataclass(frozen=True)
class Job:
    """A training with one seed in one order."""

    task: str
    method: str
    steps: int
    seed: int
    is_pooled: bool

    @property
    def setting(self) -> tuple[str, str, int]:
        """What the two orders are compared in."""
        return self.task, self.method, self.steps


def pooled_rows(
    rows: Sequence[Row], spec: RunSpec, of_epoch: Callable[[int], Sequence[Row]] | None = None
) -> Iterator[list[Row]]:
    """Takes the place of ``step_rows``: pools of batches are sorted by length, cut, and the batches shuffled."""
    size, epoch = spec.training.batch_size, 0
    while True:
        epoch += 1
        random = np.random.default_rng(derive(spec.seed, f"order/{epoch}"))
        order, batches = random.permutation(len(rows)), []
        for start in range(0, len(order), POOL * size):
            pool = sorted(order[start : start + POOL * size].tolist(), key=lambda index: rows[index].length)
            batches += [pool[first : first + size] for first in range(0, len(pool), size)]
        yield from ([rows[index] for index in batches[place]] for place in random.permutation(len(batches)))


def accuracy(job: Job) -> float:
    """Percent of the test examples answered correctly after the last step."""
    from harness.runs.run import run
    from harness.training import fit

    spec = parse_spec(
        {
            "task": {"name": job.task} | SIZES,
            "method": {"name": job.method},
            "training": {"max_steps": job.steps},
            "seed": job.seed,
        }
    )
    order = pooled_rows if job.is_pooled else fit.step_rows
    with patch.object(fit, "step_rows", order), tempfile.TemporaryDirectory() as results:
        record = run(spec, Path(results))
    if record.status != "ok":
        raise RuntimeError(f"{job}: {record.status}, {record.reason}")
    return 100 * record.metrics_last["test/accuracy"]


def summary(found: dict[Job, float]) -> Iterator[tuple[tuple[str, str, int], np.ndarray, np.ndarray]]:
    """Of each setting the accuracies of random and of pooled batches by seed, shape (S,) each."""
    for setting in dict.fromkeys(job.setting for job in found):
        seeds = sorted({job.seed for job in found if job.setting == setting})
        random, pooled = (
            np.array([found[Job(*setting, seed, is_pooled)] for seed in seeds]) for is_pooled in (False, True)
        )
        yield setting, random, pooled


def printed(found: dict[Job, float]) -> Table:
    """Differences of pools to random batches, in points."""
    table = Table("task", "method", "steps", "random", "pools", "difference", "p", title=f"pools of {POOL} batches")
    for (task, method, steps), random, pooled in summary(found):
        difference = pooled - random
        error = difference.std(ddof=1) / len(difference) ** 0.5
        p = stats.ttest_rel(pooled, random).pvalue
        means = (f"{random.mean():.1f}", f"{pooled.mean():.1f}", f"{difference.mean():+.1f} ± {error:.1f}")
        table.add_row(task, method, str(steps), *means, f"{p:.3f}")
    return table


def main(tasks: Sequence[str], n_seeds: int, n_workers: int, out: Path | None) -> None:
    """Train everything, print the table, keep the accuracies."""
    jobs = [Job(*each) for each in product(tasks, METHODS, sorted(STEPS, reverse=True), range(n_seeds), (False, True))]
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as workers:
        found = dict(zip(jobs, track(workers.map(accuracy, jobs), total=len(jobs), transient=True), strict=True))
    Console(width=110).print(printed(found))
    if out:
        out.write_text(json.dumps([asdict(job) | {"accuracy": found[job]} for job in jobs]), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", nargs="+", default=[sentences(), "trec"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    main(options.tasks, options.seeds, options.workers, options.out)
