"""Sample sizes, against simulation and closed forms."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from harness.suites import power


@pytest.mark.parametrize("difference", [0.02, 0.05, 0.1])
def test_mcnemar_finds_the_difference_as_often_as_promised(difference: float) -> None:
    n, runs = power.examples_needed(difference), 20_000
    discordant = power.DISAGREEMENT + difference
    better, worse = (discordant + difference) / 2, (discordant - difference) / 2
    counts = np.random.default_rng(0).multinomial(n, [better, worse, 1 - discordant], size=runs)
    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(np.maximum(counts[:, 0] + counts[:, 1], 1))
    found = np.mean(np.abs(z) > stats.norm.ppf(0.975))
    assert found == pytest.approx(power.POWER, abs=0.03)


def test_two_methods_on_any_number_of_examples_are_the_one_sided_t_test() -> None:
    """Without examples or other methods the rule is Student's; its power has a closed form."""
    for n_seeds in (2, 3, 5, 10):
        noncentrality = 0.02 / (sqrt(2) * power.SEED_DEVIATION) * sqrt(n_seeds)
        expected = float(stats.nct.sf(stats.t.ppf(0.95, n_seeds - 1), n_seeds - 1, noncentrality))
        assert power.verdict_power(0.02, n_seeds, 2) == pytest.approx(expected, abs=0.08)


def test_these_seeds_reach_the_power_and_fewer_do_not() -> None:
    for arguments in [(0.03, 4, 1, 2000), (0.05, 7, 4, 500), (0.02, 3, 1, None)]:
        n = power.seeds_needed(*arguments)
        assert n is not None
        assert power.verdict_power(arguments[0], n, *arguments[1:]) >= power.POWER
        assert n == 2 or power.verdict_power(arguments[0], n - 1, *arguments[1:]) < power.POWER


def test_no_number_of_seeds_makes_up_for_few_examples() -> None:
    assert power.seeds_needed(0.01, 3, 1, 200) is None


def test_more_tasks_and_fewer_examples_need_more_seeds() -> None:
    few = power.seeds_needed(0.03, 2, 1, 5000)
    assert few is not None
    for arguments in [(0.03, 2, 20, 5000), (0.03, 2, 1, 400)]:
        assert (power.seeds_needed(*arguments) or power.MOST_SEEDS) > few


def test_smaller_differences_need_more() -> None:
    differences = [0.01, 0.02, 0.04, 0.08, 0.1, 0.16, 0.3]
    examples = [power.examples_needed(difference) for difference in differences]
    seeds = [power.seeds_needed(difference, 3) or power.MOST_SEEDS for difference in differences]
    assert examples == sorted(examples, reverse=True)
    assert seeds == sorted(seeds, reverse=True)


def test_the_best_of_equal_trials_looks_as_much_better_as_it_does_in_a_simulation() -> None:
    """Each trial turns a few of the answers that all trials share, so that two disagree on about a tenth of them."""
    rng, n_trials, n, runs = np.random.default_rng(0), 20, 256, 300
    shared = rng.random((runs, 1, n)) < 0.5
    alone = rng.random((runs, n_trials, n)) < 0.053
    right = np.where(alone, ~shared, shared)
    disagreement = float((right[:, 0] != right[:, 1]).mean())
    luck = float((right.mean(axis=2).max(axis=1) - right.mean(axis=(1, 2))).mean())
    assert power.luck_of_best(n_trials, n) * sqrt(disagreement / power.DISAGREEMENT) == pytest.approx(luck, rel=0.05)
