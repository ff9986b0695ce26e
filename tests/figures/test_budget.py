"""The expected best of k trials, against brute force."""

from itertools import product

import numpy as np
import pytest

from harness.figures.budget import expected_best


@pytest.mark.parametrize("values", [[0.5], [0.7, 0.2], [0.6, 0.9, 0.6, 0.1], [0.3, 0.8, 0.81, 0.5, 0.5]])
def test_equals_all_resamples(values: list[float]) -> None:
    mean, deviation = expected_best(values)
    for k in range(1, len(values) + 1):
        best = [max(draw) for draw in product(values, repeat=k)]
        assert mean[k - 1] == pytest.approx(np.mean(best), abs=1e-12)
        assert deviation[k - 1] == pytest.approx(np.std(best), abs=1e-7)


def test_rises_from_the_mean_towards_the_best() -> None:
    values = np.random.default_rng(0).uniform(size=30).tolist()
    mean, _ = expected_best(values)
    assert mean[0] == pytest.approx(np.mean(values))
    assert (np.diff(mean) > 0).all()
    assert mean[-1] < max(values)
