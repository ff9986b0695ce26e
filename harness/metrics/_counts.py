"""Scores of labels from how often each is a target, a prediction and both."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.storage.predictions import Answers, Array

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats, Floats], Floats]
"""Hits, targets and predictions of each label in each resample, each of shape (B, labels) → scores (B,)."""


def resampled_by_label(
    statistic: Statistic, answers: Answers, counts: NDArray[np.float32], labels: Array | None = None
) -> Floats:
    """A statistic on each resample, shape (B,); ``labels`` default to those in the targets or the predictions."""
    found = labels if labels is not None else np.union1d(answers.targets, answers.predictions)
    is_target, is_predicted = answers.targets[:, None] == found, answers.predictions[:, None] == found  # (N, labels)
    columns = np.concatenate([is_target & is_predicted, is_target, is_predicted], axis=1).astype(np.float32)
    hits, of_target, of_prediction = np.split((counts @ columns).astype(float), 3, axis=1)
    return statistic(hits, of_target, of_prediction)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, and 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
