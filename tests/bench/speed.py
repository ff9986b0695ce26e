"""The harness against the script that people write, side by side: ``make bench``.

Every contestant is a process of its own, and they take turns: the machine's drift hits all of them. Printed, and kept
as JSON with the hardware: training and evaluation in real tokens per second, the whole command, peak memory, accuracy;
then the ratios of the medians, with the lowest and highest ratio of one turn.

``--size`` says on how many sentences: "usual" ends within 20 minutes on two cores, "whole" races every method on
three seeds, "short" runs each contestant once and checks what they compute, not how fast.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.core.spec import RunSpec, parse_spec
from harness.measure.hardware import cpu_model, detect_precision
from harness.runs.resolve import resolve
from tests.bench.contestants import VERSIONS, Measures, race, sentences
from tests.bench.many_runs import many_runs
from tests.bench.scoring import scoring

HIGHER = {"train_tokens_per_second": True, "eval_tokens_per_second": True, "command_seconds": False}
"""What is compared, and whether more is better."""
EPOCHS = {"lora": 1, "full": 1, "prefix": 1, "last_layers": 5}
"""The methods that are raced, and how long they train."""


@dataclass(frozen=True)
class Size:
    """Sentences to train on and to test on, and seeds of LoRA and of every other method."""

    n_train: int
    n_test: int
    lora_seeds: int
    seeds: int

    def seeds_of(self, method: str) -> int:
        """How often a method is raced."""
        return self.lora_seeds if method == "lora" else self.seeds


SIZES = {"short": Size(96, 32, 1, 1), "usual": Size(600, 256, 3, 1), "whole": Size(2000, 872, 3, 3)}


def spec_of(method: str, seed: int, size: Size) -> RunSpec:
    """What every contestant computes."""
    task = {
        "name": sentences(),
        "train_limit": size.n_train,
        "validation_limit": 32,
        "test_limit": size.n_test,
    }
    training = {"epochs": EPOCHS[method]}
    return resolve(parse_spec({"task": task, "method": {"name": method}, "training": training, "seed": seed})).spec


def turns(method: str, size: Size) -> Iterator[dict[str, Measures]]:
    """For each seed, every contestant once; who begins changes."""
    for seed in range(size.seeds_of(method)):
        order = VERSIONS[seed % 3 :] + VERSIONS[: seed % 3]
        spec = spec_of(method, seed, size)
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


def main(size: str, out: Path | None, only: list[str]) -> None:
    """Race, print, keep after each part."""
    console = Console(width=120)
    results: dict[str, Any] = json.loads(out.read_text()) if out and out.is_file() else {}
    parts = {method: partial(race_method, method, SIZES[size], console) for method in EPOCHS}
    parts |= {"zero-shot": partial(scoring, size == "short"), "12-runs": partial(many_runs, size == "short")}
    for name, measure in parts.items():
        if not only or name in only:
            results[name] = measure() | {"hardware": hardware(), "size": size, "sentences": sentences()}
            if name not in EPOCHS:
                console.print(name, results[name])
            if out:
                out.write_text(json.dumps(results, indent=1) + "\n")


def race_method(method: str, size: Size, console: Console) -> dict[str, Any]:
    """A method by all contestants."""
    found = list(turns(method, size))
    check(found)
    result = compare(found)
    show(f"{method}, {EPOCHS[method]} epochs of {size.n_train:,} {sentences()}", result, console)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="usual", help="on how many sentences")
    parser.add_argument("--out", type=Path, help="where the JSON goes; parts not raced now stay as they are there")
    parser.add_argument("--only", nargs="*", default=[], help="methods, 'zero-shot' or '12-runs'")
    options = parser.parse_args()
    main(options.size, options.out, options.only)
