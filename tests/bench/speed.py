"""The harness against the script that people write, side by side: ``make bench``.

Every contestant is a process of its own, and they take turns: the machine's drift hits all of them. Printed, and kept
as JSON with the hardware: training and evaluation in real tokens per second, the whole command, peak memory, accuracy;
then the ratios of the medians, with the lowest and highest ratio of one turn.

``--short`` runs each contestant once on few examples and checks what they compute, not how fast.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.identity import resolve
from harness.measure.hardware import cpu_model, detect_precision
from harness.spec import RunSpec, parse_spec
from tests.bench.contestants import VERSIONS, Measures, race, sentences
from tests.bench.many_runs import many_runs
from tests.bench.scoring import scoring

HIGHER = {"train_tokens_per_second": True, "eval_tokens_per_second": True, "command_seconds": False}
"""What is compared, and whether more is better."""


@dataclass(frozen=True)
class Race:
    """A method and how long it trains."""

    method: str
    epochs: int = 1
    seeds: int = 3


RACES = (Race("lora"), Race("full", seeds=1), Race("prefix", seeds=1), Race("last_layers", epochs=5, seeds=1))


def spec_of(entry: Race, seed: int, short: bool) -> RunSpec:
    """2,000 sentences to train on and 872 to test on; a few where it is short."""
    n_train, n_test = (96, 32) if short else (2000, 872)
    task = {"name": sentences(), "train_limit": n_train, "validation_limit": 32, "test_limit": n_test}
    training = {"epochs": 2 if short and entry.epochs > 1 else entry.epochs}
    return resolve(parse_spec({"task": task, "method": {"name": entry.method}, "training": training, "seed": seed}))


def turns(entry: Race, short: bool) -> Iterator[dict[str, Measures]]:
    """For each seed, every contestant once; who begins changes."""
    for seed in range(1 if short else entry.seeds):
        order = VERSIONS[seed % 3 :] + VERSIONS[: seed % 3]
        spec = spec_of(entry, seed, short)
        yield {version: race(spec, version) for version in order}


def compare(found: list[dict[str, Measures]]) -> dict[str, Any]:
    """Medians of each contestant, mean accuracies, and ratios of the harness to the two scripts."""
    result: dict[str, Any] = {}
    for version in VERSIONS:
        result[version] = {key: median(turn[version][key] for turn in found) for key in (*HIGHER, "peak_bytes")}
        result[version]["accuracy"] = fmean(turn[version]["accuracy"] for turn in found)
    for rival in VERSIONS[:2]:
        result[f"harness / {rival}"] = {key: _ratio(found, rival, key) for key in HIGHER}
    return result


def _ratio(found: list[dict[str, Measures]], rival: str, key: str) -> dict[str, float]:
    """How many times better: of the medians, and the extremes of one turn."""
    power = 1 if HIGHER[key] else -1
    each = [(turn["harness"][key] / turn[rival][key]) ** power for turn in found]
    of_medians = (median(t["harness"][key] for t in found) / median(t[rival][key] for t in found)) ** power
    return {"ratio": of_medians, "lowest": min(each), "highest": max(each)}


def show(name: str, result: dict[str, Any], console: Console) -> None:
    """One method's table."""
    table = Table(title=name, title_justify="left")
    for column in ("", "train tokens/s", "evaluation tokens/s", "command", "peak memory", "accuracy"):
        table.add_column(column, justify="left" if not column else "right")
    for version in VERSIONS:
        row = result[version]
        table.add_row(
            version,
            f"{row['train_tokens_per_second']:,.0f}",
            f"{row['eval_tokens_per_second']:,.0f}",
            f"{row['command_seconds']:.1f} s",
            f"{row['peak_bytes'] / 1e9:.2f} GB",
            f"{100 * row['accuracy']:.1f}",
        )
    for rival in VERSIONS[:2]:
        ratios = result[f"harness / {rival}"].values()
        cells = [f"{r['ratio']:.2f}× ({r['lowest']:.2f} to {r['highest']:.2f})" for r in ratios]
        table.add_row(f"harness / {rival}", *cells)
    console.print(table)


def hardware() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "precision": detect_precision(),
        "python": platform.python_version(),
    }


def check(found: list[dict[str, Measures]]) -> None:
    """Contestants took the same steps and give accuracies."""
    for turn in found:
        assert len({measures["steps"] for measures in turn.values()}) == 1, turn
        assert all(0 <= measures["accuracy"] <= 1 for measures in turn.values()), turn


def main(short: bool, out: Path | None, only: list[str]) -> None:
    """Race, print, keep."""
    console = Console(width=120)
    results: dict[str, Any] = json.loads(out.read_text()) if out and out.is_file() else {}
    results |= {"hardware": hardware(), "task": sentences()}
    for entry in RACES:
        if not only or entry.method in only:
            found = list(turns(entry, short))
            check(found)
            results[entry.method] = compare(found)
            show(f"{entry.method}, {entry.epochs} epochs of {sentences()}", results[entry.method], console)
    for name, measure in (("zero-shot scoring", scoring), ("12 runs in one worker", many_runs)):
        if not only or name.split()[0] in only:
            results[name] = measure(short)
            console.print(name, results[name])
    if out:
        out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="few examples, once: checks results, not times")
    parser.add_argument("--out", type=Path, help="where the JSON goes; parts not raced now stay as they are there")
    parser.add_argument("--only", nargs="*", default=[], help="methods, 'zero-shot' or '12'")
    options = parser.parse_args()
    main(options.short, options.out, options.only)
    sys.exit(0)
