"""Calibration against scikit-learn, hand formulas and predictors whose truth is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from harness.core.errors import SpecError
from harness.libraries.evaluate import judged
from harness.probe import PROBES
from harness.probes import calibration
from harness.storage.predictions import Answers


def drawn(n: int, sharpness: float = 1.0, n_labels: int = 3, seed: int = 0) -> Answers:
    """Targets drawn from the softmax of scores, which are then stated ``sharpness`` times too sharp."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, n_labels)) * 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    targets = [int(rng.choice(n_labels, p=row)) for row in probabilities]
    return Answers.of(targets, scores.argmax(axis=1).tolist(), scores=(scores * sharpness).tolist())


def values(validation: Answers, test: Answers, **settings: Any) -> dict[str, Any]:
    return dict(PROBES.make("calibration", settings).judge({"validation": validation, "test": test}))


def test_proper_scores_are_scikit_learns() -> None:
    answers = drawn(400)
    assert answers.scores is not None
    probabilities = np.exp(answers.scores) / np.exp(answers.scores).sum(axis=1, keepdims=True)
    targets = answers.targets.tolist()
    assert judged("nll", answers) == pytest.approx(log_loss(targets, probabilities))
    expected = brier_score_loss(targets, probabilities, labels=[0, 1, 2], scale_by_half=True)
    assert judged("brier", answers) == pytest.approx(expected)


def test_fewer_choices_take_no_probability() -> None:
    answers = Answers.of([0, 1], [0, 1], scores=[[1.0, 0.0], [0.0, 1.0, 0.0]])
    e = np.e
    assert judged("nll", answers) == pytest.approx((np.log(1 + 1 / e) + np.log(1 + 2 / e)) / 2)
    assert np.isnan(answers.scores[0, 2])  # type: ignore[index]


def test_a_calibrated_predictor_has_no_error_beyond_chance() -> None:
    """The debiased error lies around 0; the plain one does not, which is why there is a debiased one."""
    debiased = [values(drawn(200, seed=s), drawn(300, seed=50 + s))["calibration_error_squared"] for s in range(8)]
    mean = np.mean([one.value for one in debiased])
    assert abs(mean) < 3 * np.std([one.value for one in debiased], ddof=1) / 8**0.5
    assert any(one.value < 0 for one in debiased)
    plain = values(drawn(200), drawn(300))["calibration_error"]
    assert 0 < plain.value < 0.1


def test_too_sharp_scores_are_found_and_mended() -> None:
    validation, test = drawn(1000, 4.0, seed=1), drawn(2000, 4.0, seed=2)
    assert calibration.fit_temperature(validation) == pytest.approx(4, rel=0.15)
    found = values(validation, test)
    assert found["calibration_error"].value > 4 * found["calibration_error_scaled"].value
    assert found["calibration_error_squared"].interval[0] > 0
    assert found["nll_nats"].interval[0] > found["nll_scaled_nats"].interval[1]


def test_errors_by_hand() -> None:
    confidence = np.array([0.6, 0.6, 0.9, 0.9])
    is_right = np.array([1.0, 0.0, 1.0, 1.0])
    assert calibration.error(confidence, is_right, 2) == pytest.approx((0.1 + 0.1) / 2)
    # Accuracies 1/2 and 1 of two: the variance 1/4 of the first bin is taken away.
    assert calibration.debiased(confidence, is_right, 2) == pytest.approx((0.01 - 0.25 + 0.01) / 2)
    # Sorted by confidence: right, right, right, wrong gives risks 0, 0, 0, 1/4.
    assert calibration.area_under_risk(confidence, is_right) == pytest.approx(1 / 16)


def test_conformal_sets_hold_what_they_promise() -> None:
    """Over many draws the sets of fresh data hold the target as often as asked, by exchangeability."""
    test, covered = drawn(200, seed=3), []
    for seed in range(60):
        sets = calibration.conformal_sets(drawn(99, seed=100 + seed), test, 0.8)
        covered.append(sets[np.arange(200), test.targets].mean())
    assert abs(np.mean(covered) - 0.8) < 0.03  # what 200 test examples leave
    sure = calibration.conformal_sets(drawn(99), test, 0.999)
    assert sure.all()  # 99 examples can't leave out one in a thousand: all labels


def test_answers_that_tell_nothing_are_refused() -> None:
    bare = Answers.of([0, 1], [0, 1])
    with pytest.raises(SpecError, match="scores"):
        values(bare, bare)
    with pytest.raises(SpecError, match="validation"):
        PROBES.make("calibration").judge({"test": drawn(10)})


def test_old_records_have_the_quantities_too(make_spec: Any, tmp_path: Path) -> None:
    """A table of a run made without the probe shows what a run with it measured."""
    from typer.testing import CliRunner

    from harness.cli.app import app
    from harness.runs.run import run

    plain = run(make_spec("lora"), tmp_path / "plain")
    probed = run(make_spec("lora", probes=[{"name": "calibration"}]), tmp_path / "probed")
    assert "brier_score" not in plain.measured
    assert probed.measured["brier_score"] >= 0
    tables = [
        CliRunner().invoke(
            app,
            ["table", "--results", str(tmp_path / kind), "--costs", "brier_score,selective_risk", "--format", "csv"],
        )
        for kind in ("plain", "probed")
    ]
    rows = [table.stdout.splitlines()[1] for table in tables]
    assert rows[0] == rows[1], tables
    assert f"{probed.measured['brier_score']:.3f}"[:5] in rows[0]
