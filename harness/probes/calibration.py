"""How far stated probabilities can be trusted, and what they are good for."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.core.errors import SpecError
from harness.core.info import BaseInfo, TaskInfo
from harness.metrics._probabilities import log_probabilities
from harness.metrics.brier import Brier
from harness.metrics.nll import Nll
from harness.probe import Measured, Probe, Quantity, Values
from harness.statistics.intervals import Floats
from harness.statistics.measured import mean_of, resampled
from harness.storage.predictions import AnswerPart, Answers


class Calibration(Probe):
    """Calibration and selection on test; temperature and conformal threshold are fitted on validation.

    The checkpoint was chosen on the same validation examples, so coverage may fall a little short of what is asked.
    """

    source: ClassVar[str] = (
        "Guo et al. 2017, https://arxiv.org/abs/1706.04599 (temperature); Kumar et al. 2019, "
        "https://arxiv.org/abs/1909.10155 (debiased error); Geifman et al. 2019, https://arxiv.org/abs/1805.08206 "
        "(risk and coverage); Sadinle et al. 2019, https://arxiv.org/abs/1609.00451 (conformal sets)"
    )
    needs: ClassVar[frozenset[AnswerPart]] = frozenset({"scores"})
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("nll_nats", "negative log-probability of the target"),
        Quantity("nll_scaled_nats", "the same after temperature scaling"),
        Quantity("brier_score", "squared error of the probabilities, by half"),
        Quantity("calibration_error", "mean distance of confidence from accuracy, bins of equal mass (ECE)"),
        Quantity("calibration_error_scaled", "the same after temperature scaling"),
        Quantity("calibration_error_squared", "the squared distance without the bias of small bins, may be below 0"),
        Quantity("selective_risk", "error rate, averaged over all coverages: area under risk and coverage"),
        Quantity("conformal_miss", "how far the conformal sets' coverage is from what was asked"),
        Quantity("conformal_set_size", "labels or choices in a conformal set"),
    )

    bins: int = Field(15, ge=2, description="Bins of equal mass.")
    coverage: float = Field(0.9, gt=0, lt=1, description="Share of targets that conformal sets are to hold.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only labels and choices have probabilities."""
        if task.kind in ("classification", "multiple_choice"):
            return None
        return f"calibration needs labels or choices; this is {task.kind}"

    def judge(self, answers: Mapping[str, Answers]) -> Values:
        """Of the test, and with what was fitted on validation."""
        missing = [split for split in ("validation", "test") if split not in answers]
        if missing:
            raise SpecError(f"calibration needs the answers to {' and '.join(missing)}")
        test, temperature = answers["test"], fit_temperature(answers["validation"])
        ids = test.example_ids.to_pylist()
        scaled = Answers(test.example_ids, test.targets, test.predictions, _scores(test) / temperature)
        return {
            "nll_nats": mean_of(Nll().per_example(test), ids),
            "nll_scaled_nats": mean_of(Nll().per_example(scaled), ids),
            "brier_score": mean_of(Brier().per_example(test), ids),
            **self._errors(test),
            "calibration_error_scaled": self._errors(scaled)["calibration_error"],
            **self._conformal(answers["validation"], test),
        }

    def _errors(self, answers: Answers) -> dict[str, Measured]:
        confidence = np.exp(log_probabilities(answers)).max(axis=1)
        is_right = (answers.predictions == answers.targets).astype(float)
        n = len(is_right)
        return {
            "calibration_error": resampled(lambda at: error(confidence[at], is_right[at], self.bins), n),
            "calibration_error_squared": resampled(lambda at: debiased(confidence[at], is_right[at], self.bins), n),
            "selective_risk": resampled(lambda at: area_under_risk(confidence[at], is_right[at]), n),
        }

    def _conformal(self, validation: Answers, test: Answers) -> dict[str, Measured]:
        in_set = conformal_sets(validation, test, self.coverage)
        covered = in_set[np.arange(len(in_set)), test.targets]
        return {
            "conformal_miss": resampled(lambda at: abs(float(covered[at].mean()) - self.coverage), len(covered)),
            "conformal_set_size": mean_of(in_set.sum(axis=1).astype(float), test.example_ids.to_pylist()),
        }


def _scores(answers: Answers) -> Floats:
    if answers.scores is None or answers.targets.dtype.kind != "i":
        raise SpecError("calibration needs scores of labels or choices, which these answers don't have")
    return answers.scores


def fit_temperature(answers: Answers) -> float:
    """The temperature that makes the targets likeliest, between 0.01 and 100."""
    from scipy.optimize import minimize_scalar

    targets = np.arange(len(answers.targets)), answers.targets

    def loss(log_temperature: float) -> float:
        return -float(log_probabilities(answers, np.exp(log_temperature))[targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded").x))


def conformal_sets(validation: Answers, test: Answers, coverage: float) -> NDArray[np.bool_]:
    """Which labels are in the set of each test example, shape (N, labels or choices).

    Those at least as likely as the threshold that leaves out the right share of validation's targets.
    """
    likely = log_probabilities(validation)[np.arange(len(validation.targets)), validation.targets]
    # With n + 1 for the example to come; below the first rank nothing can be left out.
    n_out = int(np.floor((len(likely) + 1) * (1 - coverage)))
    threshold = np.sort(likely)[n_out - 1] if n_out else -np.inf
    return np.asarray((log_probabilities(test) >= threshold) & ~np.isnan(_scores(test)))


def _binned(confidence: Floats, is_right: Floats, n_bins: int) -> tuple[Floats, Floats, Floats]:
    """Size, mean confidence and accuracy of each bin of equal mass; a bin has at least two examples."""
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, max(1, min(n_bins, len(order) // 2)))
    sizes = np.array([len(one) for one in bins], dtype=float)
    stated, reached = (np.array([values[one].mean() for one in bins]) for values in (confidence, is_right))
    return sizes, stated, reached


def error(confidence: Floats, is_right: Floats, n_bins: int) -> float:
    """The expected calibration error."""
    sizes, stated, reached = _binned(confidence, is_right, n_bins)
    return float(np.average(np.abs(stated - reached), weights=sizes))


def debiased(confidence: Floats, is_right: Floats, n_bins: int) -> float:
    """The squared calibration error less the variance of each bin's accuracy, equation 6 of Kumar et al."""
    sizes, stated, reached = _binned(confidence, is_right, n_bins)
    noise = reached * (1 - reached) / np.maximum(1, sizes - 1)
    return float(np.average((stated - reached) ** 2 - noise, weights=sizes))


def area_under_risk(confidence: Floats, is_right: Floats) -> float:
    """Error rate among the k most confident answers, averaged over k."""
    errors = 1 - is_right[np.argsort(-confidence, kind="stable")]
    return float((np.cumsum(errors) / np.arange(1, len(errors) + 1)).mean())
