"""Does every method train a language model? `python -m tests.bench.decoder --results FOLDER [--out FILE]`.

Each method that trains, at its published rate on `smollm2-135m`: TREC, 128 questions once, one seed. Runs that
the folder has are not repeated.
"""

import argparse
from pathlib import Path

from harness.executors.local import Local
from harness.method import METHODS
from harness.storage.record import Record
from harness.storage.store import Store
from harness.suites.plan import plan
from harness.suites.suite import Suite, expand, parse_suite

HEAD = ("method", "trained", "loss at the start", "loss at the end", "test accuracy", "train seconds", "train GB")


def suite() -> Suite:
    """Every method that trains, on one seed."""
    return parse_suite(
        {
            "bases": ["smollm2-135m"],
            "tasks": ["trec"],
            "seeds": [0],
            "base": {"max_length": 128},
            "task": {"train_limit": 128, "validation_limit": 8, "test_limit": 32},
            "training": {"epochs": 1, "batch_size": 8, "eval_every": 4, "precision": "fp32"},
            "methods": {name: {} for name in METHODS.names() if METHODS.find(name).trains},
        }
    )


def row(record: Record) -> tuple[str, ...]:
    """A method's cells; its losses are the running means after 4 steps and after all 16."""
    name = record.spec.method.name
    if record.status != "ok":
        return (name, record.status, record.reason or "", "", "", "", "")
    memory = (record.cost.peak_memory_bytes.train or 0) / 1e9
    return (
        name,
        f"{record.params.trainable_final:,}",
        f"{record.curve[0]['train_loss']:.3f}",
        f"{record.curve[-1]['train_loss']:.3f}",
        f"{record.metrics['test/accuracy']:.3f}",
        f"{record.cost.train_seconds:.1f}",
        f"{memory:.2f}",
    )


def main(results: Path, workers: int, out: Path | None) -> None:
    """Run what is missing, print, keep."""
    cells = plan(expand(suite()), Store(results))
    for event in Local(workers=workers).run([job for cell in cells if (job := cell.job)], results):
        if event.has_ended:
            print(event.job.label, event.problem or "", flush=True)
    records = sorted(Store(results).records(), key=lambda record: record.spec.method.name)
    trained = [record for record in records if record.status == "ok"]
    falls = [record for record in trained if record.curve[-1]["train_loss"] < record.curve[0]["train_loss"]]
    environment = trained[0].environment
    lines = [
        f"{len(records)} methods, {len(trained)} trained, of {len(falls)} the loss falls. Nothing is tuned, and 32",
        "answers of one seed are too few to rank methods by. smollm2-135m, TREC, 128 questions once, 16 steps of 8.",
        "",
        f"{environment['accelerator']}, {environment['cpu']}, torch {environment['versions']['torch']}, fp32.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *map(row, records))),
    ]
    print("\n".join(lines))
    if out:
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="folder of its runs")
    parser.add_argument("--workers", type=int, default=1, help="local processes")
    parser.add_argument("--out", type=Path, help="where the table goes")
    options = parser.parse_args()
    main(options.results, options.workers, options.out)
