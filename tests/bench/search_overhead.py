"""What a search costs beyond its runs: `python -m tests.bench.search_overhead`.

The runs take no time, so all of a trial's time is the search's: propose, report four validations, ask the pruner,
store. Opening the study and writing its file are shared out among the trials that are measured. Exit code 1 above the
limit.
"""

import sys
import tempfile
import time
from pathlib import Path

import optuna

from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from tests.search.stand_in import LORA, stand_in

STORED, MEASURED, LIMIT_MS = 500, 20, 50.0


def measure() -> float:
    """Milliseconds a trial, TPE with the median pruner, in a study that already has 500 trials."""
    with tempfile.TemporaryDirectory() as folder:
        search_cell(LORA, SearchSpec(trials=STORED), Path(folder), run_trial=stand_in)
        started = time.perf_counter()
        search_cell(LORA, SearchSpec(trials=STORED + MEASURED), Path(folder), run_trial=stand_in)
        return 1000 * (time.perf_counter() - started) / MEASURED


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    overhead = measure()
    print(f"{overhead:.1f} ms a trial with {STORED} stored trials (limit {LIMIT_MS:.0f} ms)")
    sys.exit(overhead > LIMIT_MS)
