"""A metric recomputed on bootstrap resamples of the examples: by matrix products where its formula allows."""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metrics import bleu, compute, iob2_tags
from harness.statistics.intervals import Floats
from harness.storage.predictions import Array

N_RESAMPLES = 1000
"""Gives a variance a relative standard error of 4.5 %."""

SEED = 0
"""Fixed: the same records must give the same table."""

BLOCK = 8_000_000
"""Entries of a block of resample counts; float32, so 32 MB."""


def bootstrap_scores(metric: str, targets: Array, predictions: Array, n_resamples: int = N_RESAMPLES) -> Floats:
    """A metric of several runs on resamples of their common examples.

    Every run sees the same resamples, so differences between columns are paired.

    Args:
        metric: A name of ``harness.metrics.metrics``.
        targets: Shape (N,).
        predictions: Shape (runs, N).

    Returns:
        Shape (n_resamples, runs): exactly what recomputing the metric on each resample gives.
    """
    score = FAST.get(metric) or _recompute(metric)
    # BLAS threads spin while they wait for the next product, and slow down the reading of files in between by a third.
    with _libraries().limit(limits=1, user_api="blas"):
        blocks = [score(targets, predictions, counts) for counts in resample_counts(len(targets), n_resamples)]
    return np.concatenate(blocks)


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def resample_counts(n_examples: int, n_resamples: int) -> Iterator[NDArray[np.float32]]:
    """How often each resample drew each example, in blocks of shape (resamples, N)."""
    step = max(1, BLOCK // n_examples)
    for start in range(0, n_resamples, step):
        yield _draw_block(n_examples, start, min(step, n_resamples - start))


@lru_cache(maxsize=1)  # the settings of a table often have the same number of test examples
def _draw_block(n_examples: int, start: int, size: int) -> NDArray[np.float32]:
    rng = np.random.default_rng((SEED, start))
    drawn = rng.integers(n_examples, size=(size, n_examples)) + n_examples * np.arange(size)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=size * n_examples)
    return counts.reshape(size, n_examples).astype(np.float32)


Score = Callable[[Array, Array, NDArray[np.float32]], Floats]
"""Targets (N,), predictions (runs, N), counts (B, N) → scores (B, runs)."""


def _recompute(metric: str) -> Score:
    def score(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
        drawn = [np.repeat(np.arange(len(targets)), row.astype(int)) for row in counts]
        return np.array([[compute(metric, targets[i].tolist(), run[i].tolist()) for run in predictions] for i in drawn])

    return score


def _accuracy(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
    correct = (predictions == targets).astype(np.float32)
    return (counts @ correct.T).astype(float) / len(targets)


def _class_counts(targets: Array, run: Array, labels: Array, counts: NDArray[np.float32]) -> tuple[Floats, ...]:
    """Hits, targets and predictions of each label in each resample, each of shape (B, labels)."""
    is_target, is_predicted = targets[:, None] == labels, run[:, None] == labels  # (N, labels)
    columns = np.concatenate([is_target & is_predicted, is_target, is_predicted], axis=1).astype(np.float32)
    hits, of_target, of_prediction = np.split((counts @ columns).astype(float), 3, axis=1)
    return hits, of_target, of_prediction


def _by_class(statistic: Callable[[Floats, Floats, Floats], Floats], labels: Array | None = None) -> Score:
    """A score from per-label counts; ``labels`` default to those that occur in the targets or a prediction."""

    def score(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
        found = labels if labels is not None else np.union1d(targets, predictions)
        return np.stack([statistic(*_class_counts(targets, run, found, counts)) for run in predictions], axis=1)

    return score


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, and 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _mcc(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    """Gorodkin 2004, Comparing two K-category assignments, equation 8."""
    n = of_target.sum(axis=1)
    covariance = hits.sum(axis=1) * n - (of_target * of_prediction).sum(axis=1)
    target_variance = n**2 - (of_target**2).sum(axis=1)
    return _ratio(covariance, np.sqrt(target_variance * (n**2 - (of_prediction**2).sum(axis=1))))


def _binary_f1(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    return _ratio(2 * hits, of_target + of_prediction)[:, 0]


def _macro_f1(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    """Mean over the labels that the resample has in its targets or predictions."""
    present = of_target + of_prediction > 0
    return np.asarray(_ratio(2 * hits, of_target + of_prediction).sum(axis=1) / present.sum(axis=1))


def _correlation(x: Floats, y: Floats, counts: NDArray[np.float32]) -> Floats:
    """Pearson's correlation under counts; ``x`` and ``y`` have shape (N,) or (B, N); 0 where one is constant."""
    n = counts.sum(axis=1, keepdims=True)
    weights = counts / n
    dx = x - (weights * x).sum(axis=1, keepdims=True)
    dy = y - (weights * y).sum(axis=1, keepdims=True)
    variance = (weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1)
    return _ratio((weights * dx * dy).sum(axis=1), np.sqrt(variance))


def _pearson(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
    return np.stack([_correlation(targets, run, counts.astype(float)) for run in predictions], axis=1)


def _spearman(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
    ranks = resample_ranks(targets, counts)
    columns = [_correlation(ranks, resample_ranks(run, counts), counts.astype(float)) for run in predictions]
    return np.stack(columns, axis=1)


def resample_ranks(values: Array, counts: NDArray[np.float32]) -> Floats:
    """The mid-rank that each example's copies get in each resample, shape (B, N)."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    copies = np.add.reduceat(counts[:, order].astype(float), starts, axis=1)  # (B, groups)
    mid_rank = copies.cumsum(axis=1) - (copies - 1) / 2
    return np.asarray(mid_rank[:, group])


def _mean_of_examples(metric: str) -> Score:
    """A metric that is the mean of its values on single examples."""

    def score(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
        values = [[compute(metric, [t], [p]) for t, p in zip(targets, run, strict=True)] for run in predictions]
        return counts.astype(float) @ np.array(values).T / len(targets)

    return score


def _span_f1(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
    spans = _spans(targets)

    def of_run(run: Array) -> Floats:
        found = _spans(run)
        per_example = np.array([(len(t & p), len(t), len(p)) for t, p in zip(spans, found, strict=True)], dtype=float)
        hits, of_target, of_prediction = (counts.astype(float) @ per_example).T
        return _ratio(2 * hits, of_target + of_prediction)

    return np.stack([of_run(run) for run in predictions], axis=1)


def _spans(sequences: Array) -> list[set[tuple[str, int, int]]]:
    """The spans of each example: type, first and last token."""
    from seqeval.metrics.sequence_labeling import get_entities

    return [set(get_entities(tags)) for tags in iob2_tags(sequences.tolist())]


def _sacrebleu(name: str) -> Score:
    """BLEU or chrF from sums of sacreBLEU's sufficient statistics, as its own bootstrap computes them."""

    def score(targets: Array, predictions: Array, counts: NDArray[np.float32]) -> Floats:
        from sacrebleu.metrics import CHRF

        metric = bleu(list(targets)) if name == "bleu" else CHRF()
        columns = []
        for run in predictions:
            statistics = metric._extract_corpus_statistics(list(run), [list(targets)])
            sums = counts.astype(float) @ np.array(statistics, dtype=float)
            columns.append([metric._compute_score_from_stats(row.astype(int).tolist()).score / 100 for row in sums])
        return np.array(columns).T

    return score


FAST: dict[str, Score] = {
    "accuracy": _accuracy,
    "mcc": _by_class(_mcc),
    "f1": _by_class(_binary_f1, labels=np.array([1])),
    "macro_f1": _by_class(_macro_f1),
    "pearson": _pearson,
    "spearman": _spearman,
    "span_f1": _span_f1,
    "exact_match": _accuracy,
    "bleu": _sacrebleu("bleu"),
    "chrf": _sacrebleu("chrf"),
    **{name: _mean_of_examples(name) for name in ("rouge1", "rouge2", "rougeL")},
}
"""Metrics with a formula over counts; a metric without one is recomputed on every resample."""
