"""Answers of several runs to the same examples as those of one."""

from collections.abc import Sequence

import numpy as np

from harness.metrics._probabilities import log_probabilities
from harness.statistics.intervals import majority_vote
from harness.storage.predictions import Answers


def combine(answers: Sequence[Answers]) -> Answers:
    """One answer for each example from those of several runs.

    Numbers are averaged. Of labels and choices the highest mean probability wins where all runs have scores that their
    predictions follow from; else, and for texts and tags (word by word), the most frequent answer does, of equally
    frequent ones the earlier run's.
    """
    first = answers[0]
    predictions = np.stack([one.predictions for one in answers])
    if predictions.dtype.kind == "f":
        return Answers(first.example_ids, first.targets, predictions.mean(axis=0))
    if all(map(_follows_from_scores, answers)):
        return _by_probability(answers)
    if predictions.dtype.kind != "O":
        return Answers(first.example_ids, first.targets, majority_vote(predictions))
    if len(first.predictions) and isinstance(first.predictions[0], tuple):
        voted = [tuple(majority_vote(np.array(list(tags))).tolist()) for tags in predictions.T]
        return Answers.of(first.targets.tolist(), voted, first.example_ids)
    texts = majority_vote(predictions.astype(str)).tolist()
    return Answers.of(first.targets.tolist(), texts, first.example_ids, texts=texts)


def _follows_from_scores(answers: Answers) -> bool:
    return answers.scores is not None and np.array_equal(np.nanargmax(answers.scores, axis=1), answers.predictions)


def _by_probability(answers: Sequence[Answers]) -> Answers:
    """The labels of the highest mean probability; its logarithm is their score."""
    first = answers[0]
    probabilities = np.mean([np.exp(log_probabilities(one)) for one in answers], axis=0)
    with np.errstate(divide="ignore"):
        scores = np.where(np.isnan(first.scores), np.nan, np.log(probabilities))  # type: ignore[arg-type]
    return Answers(first.example_ids, first.targets, np.nanargmax(scores, axis=1), scores)
