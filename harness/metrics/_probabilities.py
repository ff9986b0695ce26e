"""Probabilities of labels or choices, from the scores that are stored."""

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.storage.predictions import Answers


def log_probabilities(answers: Answers, temperature: float = 1.0) -> NDArray[np.float64]:
    """The log-softmax of the scores over a temperature, shape (N, labels or choices).

    Minus infinity where an example has fewer choices. Scores are logits of a head or log-likelihoods of a language
    model; of those that are neither (cosines, distances) the softmax is as good a probability as any, and badly
    calibrated until a temperature is fitted.

    Raises:
        SpecError: the answers have no scores.
    """
    if answers.scores is None:
        raise SpecError("probabilities need scores of labels or choices, which these answers don't have")
    scaled = np.where(np.isnan(answers.scores), -np.inf, answers.scores) / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
