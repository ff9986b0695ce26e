"""Sample sizes, against simulation and a second formula."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from harness.compare import power


@pytest.mark.parametrize("difference", [0.02, 0.05, 0.1])
def test_mcnemar_finds_the_difference_as_often_as_promised(difference: float) -> None:
    n, runs = power.examples_needed(difference), 20_000
    discordant = power.DISAGREEMENT + difference
    better, worse = (discordant + difference) / 2, (discordant - difference) / 2
    counts = np.random.default_rng(0).multinomial(n, [better, worse, 1 - discordant], size=runs)
    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(np.maximum(counts[:, 0] + counts[:, 1], 1))
    found = np.mean(np.abs(z) > stats.norm.ppf(1 - power.ALPHA / 2))
    assert found == pytest.approx(power.POWER, abs=0.03)


@pytest.mark.parametrize("difference", [0.01, 0.02, 0.03, 0.05, 0.1, 0.2])
def test_paired_t_test_reaches_its_power_with_these_seeds_and_no_fewer(difference: float) -> None:
    def t_test_power(n: int) -> float:
        noncentrality = difference / (sqrt(2) * power.SEED_DEVIATION) * sqrt(n)
        return float(stats.nct.sf(stats.t.ppf(1 - power.ALPHA / 2, n - 1), n - 1, noncentrality))

    n = power.seeds_needed(difference)
    assert t_test_power(n) >= power.POWER
    assert n == 2 or t_test_power(n - 1) < power.POWER


def test_smaller_differences_need_more() -> None:
    differences = [0.01, 0.02, 0.04, 0.08, 0.1, 0.16, 0.3]
    for needed in (power.examples_needed, power.seeds_needed):
        sizes = [needed(difference) for difference in differences]
        assert sizes == sorted(sizes, reverse=True)
