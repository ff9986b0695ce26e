"""What reading results costs as they grow: `python -m tests.bench.scale [--out FILE]`.

Commands that read all results, over 5,000, 10,000 and 20,000 records (five methods, 25 seeds, 300 test examples; two
methods lag behind, so that the predictions of about half of the runs must be read) and over studies of 250, 1,000 and
5,000 trials with a record each. Whole commands, from a new interpreter to the last line: seconds of processor time,
which other work on the machine changes little, and the most memory. Exit code 1 where one takes more than 5 s or 1 GB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import optuna

from harness.core.spec import RunSpec
from harness.search.plan import OnValidation
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from harness.storage.store import Store
from tests.search.stand_in import LORA, stand_in
from tests.synthetic import write_grid

LIMIT_SECONDS, LIMIT_GB = 5.0, 1.0
SKILLS = {"full": 2.3, "lora": 2.25, "adapters": 2.25, "prefix": 1.9, "zero_shot": 0.5}
N_SEEDS = 25
RECORDS, TRIALS = (5_000, 10_000, 20_000), (250, 1_000, 5_000)
SUITE = """
bases = ["minilm", "smollm2-135m"]
tasks = ["rotten_tomatoes", "trec", "bbc_news", "sms_spam"]
quantizations = ["none", "4bit"]
seeds = [0, 1, 2, 3, 4]

[methods.lora]
[methods.full]
[methods.adapters]
[methods.prefix]
[methods.zero_shot]
"""


def write_records(results: Path, n_records: int) -> None:
    """As many runs, on as many tasks as it takes."""
    per_task = len(SKILLS) * 2 * 2 * N_SEEDS
    write_grid(
        results,
        SKILLS,
        tasks=[f"task{i:03d}" for i in range(n_records // per_task)],
        bases=["minilm", "smollm2-135m"],
        quantizations=["none", "4bit"],
        n_seeds=N_SEEDS,
    )


def write_study(results: Path, n_trials: int) -> str:
    """A study, its runs' records, and its name; the runs themselves take no time."""
    store = Store(results)

    def run_trial(spec: RunSpec, on_validation: OnValidation) -> Record:
        record = stand_in(spec, on_validation)
        record = record.model_copy(update={"run_id": record.run_id[:12]})
        if not store.find(record.run_id):
            with store.writing(record.run_id, spec) as folder:
                store.finish(folder, record)
        return record

    search = SearchSpec(trials=n_trials, sampler="random", pruner="none")
    return search_cell(LORA, search, results, run_trial=run_trial).name


def measure(arguments: Sequence[str]) -> tuple[float, float]:
    """Processor seconds and GB of a command, which must succeed; `check` may have findings."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ((0, 1) if arguments[0] == "check" else (0,)):
        raise RuntimeError(f"{' '.join(arguments)}: {said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def commands(results: Path, suite: Path, study: str | None) -> list[list[str]]:
    """Every command that reads all results."""
    of = ["--results", str(results)]
    given = [
        ["list", "runs", *of],
        ["table", *of],
        ["report", "--out", str(results / "page.html"), *of],
        ["check", str(suite), *of],
        ["suite", str(suite), "--dry-run", *of],
    ]
    drawn = ["--out", str(results / "figure.pdf"), *of]
    return given if study is None else [*given, ["plot", "budget", *drawn]]


def main(records: Sequence[int], trials: Sequence[int], out: Path | None) -> bool:
    """Measure, print, keep; whether all is within the limits."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows, fits = [], True
    for n, unit in [*((n, "records") for n in records), *((n, "trials") for n in trials)]:
        with tempfile.TemporaryDirectory() as folder:
            results, suite = Path(folder, "results"), Path(folder, "suite.toml")
            suite.write_text(SUITE)
            study = write_study(results, n) if unit == "trials" else write_records(results, n)
            for arguments in commands(results, suite, study):
                seconds, gigabytes = measure(arguments)
                fits &= seconds <= LIMIT_SECONDS and gigabytes <= LIMIT_GB
                words = " ".join(word for word in arguments[:2] if "/" not in word and not word.startswith("-"))
                rows.append(f"| {words} | {n:,} {unit} | {seconds:.2f} | {gigabytes:.2f} |")
                print(rows[-1], flush=True)
    if out:
        head = ["| command | of | processor seconds | GB at most |", "| --- | --- | --- | --- |"]
        out.write_text("\n".join([*head, *sorted(rows, key=lambda row: row.split("|")[1])]) + "\n")
    return fits


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, nargs="*", default=RECORDS, help="numbers of records")
    parser.add_argument("--trials", type=int, nargs="*", default=TRIALS, help="numbers of trials")
    parser.add_argument("--out", type=Path, help="where the table goes")
    options = parser.parse_args()
    sys.exit(not main(options.records, options.trials, options.out))
