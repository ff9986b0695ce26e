"""How long `table` takes over 10,000 records: `python -m tests.bench.table_speed [RESULTS]`.

400 cells of 25 seeds, five methods in 80 settings, 300 test examples each; two methods lag behind, so that the
predictions of about half of the runs must be read. The records are kept where RESULTS is given and are not written
again. Whole commands are timed, from a new interpreter to the last line. Exit code 1 above the limit.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.synthetic import write_grid

LIMIT_SECONDS, REPETITIONS = 5.0, 5
SKILLS = {"full": 2.3, "lora": 2.25, "adapters": 2.25, "prefix": 1.9, "zero_shot": 0.5}


def write_records(results: Path) -> int:
    """Write the records; returns their number."""
    return write_grid(
        results,
        SKILLS,
        tasks=[f"task{i:02d}" for i in range(20)],
        bases=["minilm", "smollm2-135m"],
        quantizations=["none", "4bit"],
        n_seeds=25,
    )


def measure(results: Path) -> list[float]:
    """Seconds of each repetition, which must print the same bytes."""
    command = [sys.executable, "-m", "harness", "table", "--costs", "trainable_params", "--results", str(results)]
    seconds, printed = [], set()
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        printed.add(subprocess.run(command, check=True, capture_output=True).stdout)
        seconds.append(time.perf_counter() - started)
    if len(printed) > 1:
        raise RuntimeError("the same records gave different tables")
    return seconds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        results = Path(sys.argv[1] if len(sys.argv) > 1 else folder)
        if not (results / "runs").exists():
            write_records(results)
        seconds = measure(results)
        n_records = len(list(results.glob("runs/*/record.json")))
    shown = ", ".join(f"{value:.2f}" for value in seconds)
    print(f"{shown} s over {n_records:,} records (limit {LIMIT_SECONDS:.0f} s)")
    sys.exit(min(seconds) > LIMIT_SECONDS)
