"""Records and predictions drawn from a model whose truth is known; no run is made."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.spec import digest

VERSIONS = {"adaptation-harness": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.0"}


@dataclass(frozen=True)
class Effects:
    """How much answers vary: an example's difficulty is shared by all methods and seeds, the rest is not.

    An answer is right if ``skill + example + example_by_method + seed + noise > 0``, each normal with the given
    standard deviation (noise has 1).
    """

    example: float = 1.0
    example_by_method: float = 0.3
    seed: float = 0.05


def draw_correct(
    skills: NDArray[np.float64], n_seeds: int, n_examples: int, rng: np.random.Generator, effects: Effects = Effects()
) -> NDArray[np.bool_]:
    """Which answers are right, shape (methods, seeds, examples)."""
    k = len(skills)
    latent = skills[:, None, None] + effects.example * rng.normal(size=(1, 1, n_examples))
    latent = latent + effects.example_by_method * rng.normal(size=(k, 1, n_examples))
    latent = latent + effects.seed * rng.normal(size=(k, n_seeds, 1))
    return np.asarray(latent + rng.normal(size=(k, n_seeds, n_examples)) > 0)


def make_record(
    method: str,
    seed: int = 0,
    *,
    task: str = "task",
    base: str = "base",
    quantization: str = "none",
    accuracy: float = 0.9,
    trainable: int = 200_000,
    settings: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    n_curve: int = 12,
    n_examples: int = 300,
    **changes: Any,
) -> dict[str, Any]:
    """The plain data of a finished record; ``changes`` replace its top-level keys."""
    spec = {
        "base": {"name": base, "quantization": quantization},
        "task": {"name": task},
        "method": {"name": method, **(settings or {})},
        "training": {"learning_rate": 3e-4, **(training or {})},
        "seed": seed,
    }
    seconds = 30.0 + 4 * trainable / 1e6 + seed
    curve = [
        {
            "step": 10 * (i + 1),
            "seconds": round(seconds * (i + 1) / n_curve, 3),
            "train_loss": round(0.7 * 0.9**i, 4),
            "validation/accuracy": round(accuracy - 0.2 * 0.8**i, 4),
        }
        for i in range(n_curve)
    ]
    metrics = {"validation/accuracy": accuracy, "test/accuracy": accuracy}
    record = {
        "schema": 1,
        "run_id": digest([spec, changes], 12),
        "status": "ok",
        "reason": None,
        "spec": spec,
        "started_at": "2025-01-01T00:00:00+00:00",
        "finished_at": "2025-01-01T00:01:00+00:00",
        "primary_metric": "accuracy",
        "metrics": metrics,
        "metrics_last": metrics,
        "params": {
            "trainable": trainable,
            "trainable_final": trainable,
            "total": 22_700_000,
            "stored_bytes": 4 * trainable,
        },
        "cost": {
            "train_seconds": seconds,
            "total_seconds": seconds + 5,
            "peak_memory_bytes": {"train": 900_000_000 + 16 * trainable, "eval": 500_000_000},
            "memory_kind": "rss",
        },
        "curve": curve,
        "data": {
            "source": "asset synthetic 1.0",
            "protocol": "official",
            "fingerprint": digest([task, "data"]),
            "sizes": {"train": 2000, "validation": n_examples // 10, "test": n_examples},
        },
        "environment": {"versions": VERSIONS, "cpu": "Test CPU", "accelerator": "cpu", "precision": "fp32"},
    }
    return record | changes


def write_run(results: Path, record: Mapping[str, Any], predictions: Mapping[str, Any] | None = None) -> None:
    """Write a run's folder; predictions are columns of predictions.parquet."""
    folder = results / "runs" / record["run_id"]
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record))
    if predictions is not None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(dict(predictions)), folder / "predictions.parquet")


def answers(targets: NDArray[np.int64], correct: NDArray[np.bool_]) -> dict[str, Any]:
    """Columns of predictions.parquet for a binary task; the validation split is the test split's first tenth."""
    predictions = np.where(correct, targets, 1 - targets)
    n_validation = len(targets) // 10
    rows = np.r_[:n_validation, : len(targets)]
    return {
        "split": ["validation"] * n_validation + ["test"] * len(targets),
        "example_id": [f"{'v' * (i < n_validation)}{row:06d}" for i, row in enumerate(rows)],
        "target": targets[rows],
        "prediction": predictions[rows],
        "correct": correct[rows],
        "score_0": 1.0 - predictions[rows],
        "score_1": 0.0 + predictions[rows],
    }


def write_grid(
    results: Path,
    skills: Mapping[str, float],
    *,
    tasks: Iterable[str] = ("task",),
    bases: Iterable[str] = ("base",),
    quantizations: Iterable[str] = ("none",),
    n_seeds: int = 5,
    n_examples: int = 300,
    n_curve: int = 12,
    effects: Effects = Effects(),
    random_seed: int = 0,
    trainable: Mapping[str, int] | None = None,
) -> int:
    """Write the runs of a full grid, each with predictions; returns their number.

    Args:
        results: Results folder.
        skills: Method → skill; a skill of 1.4 answers about 83 % right, one of 2 about 91 %.
        tasks: Their names; every axis may have any.
        bases: Their names.
        quantizations: Of the bases.
        n_seeds: Runs of each cell.
        n_examples: Of the test split.
        n_curve: Validations of each run.
        effects: How much answers vary.
        random_seed: Of all draws.
        trainable: Method → parameters that it trains; default: 200,000.
    """
    rng = np.random.default_rng(random_seed)
    n_runs = 0
    for task in tasks:
        targets = rng.integers(0, 2, n_examples)
        for base in bases:
            for quantization in quantizations:
                correct = draw_correct(np.array(list(skills.values())), n_seeds, n_examples, rng, effects)
                for method, by_seed in zip(skills, correct, strict=True):
                    for seed, right in enumerate(by_seed):
                        options: dict[str, Any] = {"task": task, "base": base, "quantization": quantization}
                        options |= {"n_curve": n_curve, "n_examples": n_examples}
                        options["trainable"] = (trainable or {}).get(method, 200_000)
                        record = make_record(method, seed, accuracy=float(right.mean()), **options)
                        write_run(results, record, answers(targets, right))
                        n_runs += 1
    return n_runs
