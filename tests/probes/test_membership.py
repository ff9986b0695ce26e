"""The attack on membership against scikit-learn, and on models that remember all or nothing."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from harness.metrics.nll import Nll
from harness.probes._losses import losses
from harness.probes.membership import auc
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured


def test_it_is_scikit_learns_area_with_ties() -> None:
    rng = np.random.default_rng(0)
    others, members = rng.normal(0.5, 1, 80).round(1), rng.normal(0, 1, 60).round(1)
    expected = roc_auc_score([1] * 80 + [0] * 60, np.concatenate([others, members]))
    assert auc(others, members).value == pytest.approx(expected)


def test_its_interval_holds_the_truth() -> None:
    """Two normals a standard deviation apart have an area of Phi(1 / sqrt 2)."""
    rng, truth = np.random.default_rng(1), norm.cdf(1 / 2**0.5)
    found = [auc(rng.normal(1, 1, 60), rng.normal(0, 1, 80)).interval for _ in range(400)]
    assert np.mean([ends is not None and ends[0] <= truth <= ends[1] for ends in found]) == pytest.approx(
        0.95, abs=0.03
    )


def test_what_was_never_trained_remembers_nothing(make_spec: MakeSpec) -> None:
    found = measured(examined(make_spec("last_layers")), "membership")["membership_auc"]
    assert found.interval[0] < 0.5 < found.interval[1]


def test_losses_are_those_of_the_answers(make_spec: MakeSpec) -> None:
    """Of labels; and the head's training loss is the same number."""
    subject = examined(make_spec("last_layers", training={"precision": "fp32"}))
    examples = subject.splits["test"][:10]
    found = losses(subject, examples)
    assert found == pytest.approx(Nll().per_example(subject.answer(examples)))
    rows = subject.formulation.encode_training(examples)
    batch = subject.formulation.collate(rows, "cpu")  # type: ignore[arg-type]
    assert found == pytest.approx(subject.formulation.losses(subject.model, batch).tolist(), rel=1e-3)
