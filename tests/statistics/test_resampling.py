"""Fast resampling against recomputing the metric on every resample."""

from typing import Any

import numpy as np
import pytest

from harness.metric import METRICS, Metric, make_metric
from harness.metrics._correlation import resample_ranks
from harness.statistics import resampling
from harness.statistics.resampling import bootstrap_scores, resample_counts
from harness.storage.predictions import Answers

WORDS = ["a", "film", "both", "funny", "and", "sad", ",", "with", "one", "great", "scene", "near", "the", "end"]


def _labels(rng: np.random.Generator, n_labels: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    targets = rng.integers(n_labels, size=n)
    predictions = np.where(rng.random((3, n)) < 0.7, targets, rng.integers(n_labels, size=(3, n)))
    return targets, predictions


def _objects(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _data(metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets (N,) and predictions (3, N) of the metric's kind."""
    rng = np.random.default_rng(0)
    if metric in ("pearson", "spearman", "mae", "rmse"):
        targets = rng.integers(6, size=40).astype(float)  # with ties
        return targets, targets + rng.normal(0, 2, size=(3, 40)).round()
    if metric == "span_f1":
        rows = [
            [tuple(rng.choice(5, size=6, p=[0.5, 0.2, 0.1, 0.1, 0.1]).tolist()) for _ in range(15)] for _ in range(4)
        ]
        return _objects(rows[0]), np.stack([_objects(row) for row in rows[1:]])
    if metric in ("bleu", "chrf", "rouge1", "rouge2", "rougeL"):
        targets = [" ".join(rng.choice(WORDS, size=9)) for _ in range(12)]
        runs = [
            [" ".join(w if rng.random() < 0.8 else rng.choice(WORDS) for w in t.split()) for t in targets]
            for _ in "abc"
        ]
        return _objects(targets), np.stack([_objects(run) for run in runs])
    return _labels(rng, 2 if metric == "f1" else 4)


def _scores(metric: str, predictions: np.ndarray) -> np.ndarray | None:
    """Scores that mostly agree with the predictions of a run, shape (N, 4), where the metric reads any."""
    if "scores" not in METRICS.find(metric).needs:
        return None
    noise = np.random.default_rng(int(predictions.sum())).normal(size=(len(predictions), 4))
    return 2 * np.eye(4)[predictions] + noise


def _bootstrap(metric: str, targets: np.ndarray, predictions: np.ndarray, n_resamples: int) -> np.ndarray:
    runs = [Answers.of(targets, run, scores=_scores(metric, run)) for run in predictions]
    return bootstrap_scores(make_metric(metric), runs, n_resamples)


def _recomputed(metric: str, targets: np.ndarray, predictions: np.ndarray, n_resamples: int) -> np.ndarray:
    rows = []
    for counts in np.concatenate(list(resample_counts(len(targets), n_resamples))).astype(int):
        drawn = np.repeat(np.arange(len(targets)), counts)
        rows.append([_of_drawn(metric, targets, run, drawn) for run in predictions])
    return np.array(rows)


def _of_drawn(metric: str, targets: np.ndarray, run: np.ndarray, drawn: np.ndarray) -> float:
    scores = _scores(metric, run)
    picked = None if scores is None else scores[drawn]
    return make_metric(metric).judge(Answers.of(targets[drawn].tolist(), run[drawn].tolist(), scores=picked))


@pytest.mark.parametrize("metric", METRICS.names())
def test_fast_paths_equal_recomputing(metric: str) -> None:
    plugin = type(make_metric(metric))
    assert plugin.resampled is not Metric.resampled or plugin.per_example is not Metric.per_example
    targets, predictions = _data(metric)
    found = _bootstrap(metric, targets, predictions, 30)
    np.testing.assert_allclose(found, _recomputed(metric, targets, predictions, 30), atol=1e-6)
    assert found.std() > 0


@pytest.mark.parametrize("metric", ["mcc", "macro_f1", "f1", "pearson", "spearman"])
def test_degenerate_predictions(metric: str) -> None:
    """Few examples: many resamples have one label only, and one run predicts a constant."""
    targets = np.array([0, 1, 1, 0])
    predictions = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1]])
    found = _bootstrap(metric, targets, predictions, 60)
    np.testing.assert_allclose(found, _recomputed(metric, targets, predictions, 60), atol=1e-9)


def test_a_metric_without_a_formula_is_recomputed() -> None:
    class Slow(Metric):
        def compute(self, answers: Answers) -> float:
            return make_metric("mcc").compute(answers)

    targets, predictions = _data("mcc")
    found = bootstrap_scores(Slow(), [Answers.of(targets, run) for run in predictions], 20)
    np.testing.assert_allclose(found, _bootstrap("mcc", targets, predictions, 20), atol=1e-9)


def test_resamples_are_draws_with_replacement_and_repeatable() -> None:
    counts = np.concatenate(list(resample_counts(50, 2000)))
    assert counts.shape == (2000, 50)
    assert (counts.sum(axis=1) == 50).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.12)
    np.testing.assert_allclose(counts.var(axis=0).mean(), 1 - 1 / 50, atol=0.02)
    np.testing.assert_array_equal(counts, np.concatenate(list(resample_counts(50, 2000))))


def test_many_examples_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "BLOCK", 1000)
    targets, predictions = _data("accuracy")
    assert len(list(resample_counts(40, 60))) == 3
    found = _bootstrap("accuracy", targets, predictions, 60)
    np.testing.assert_allclose(found, _recomputed("accuracy", targets, predictions, 60), atol=1e-6)
    assert len(np.unique(np.concatenate(list(resample_counts(40, 60))), axis=0)) == 60


def test_ranks_of_copies_equal_scipy() -> None:
    from scipy.stats import rankdata

    values = np.array([3.0, 1.0, 3.0, 2.0])
    counts = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 3, 1, 0]], dtype=np.float32)
    found = resample_ranks(values, counts)
    for row, ranks in zip(counts.astype(int), found, strict=True):
        np.testing.assert_allclose(np.repeat(ranks, row), rankdata(np.repeat(values, row)))
