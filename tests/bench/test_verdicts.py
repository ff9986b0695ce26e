"""The error of the tables' rules in a small version of the simulation, and that they find what is there."""

import pytest

from harness.suites.power import is_dropped
from tests.bench.verdicts import NOISE, Setting, bold_error, difference_error, is_different, power

N_TABLES = 500


def limit(share: float, n: int) -> float:
    """The share plus three standard errors of a simulation with n repetitions."""
    return share + 3 * (share * (1 - share) / n) ** 0.5


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_one_of_the_best_is_not_bold_in_at_most_5_percent_of_tables(noise: str, n_seeds: int) -> None:
    assert bold_error(Setting(noise, 1, 7, n_seeds), N_TABLES) <= limit(0.05, N_TABLES)


def test_nor_is_it_over_all_tasks() -> None:
    assert bold_error(Setting("equal", 8, 5, 3), 300) <= limit(0.05, 300)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_equal_methods_differ_in_at_most_5_percent_of_tables(noise: str, n_seeds: int) -> None:
    assert difference_error(Setting(noise, 1, 7, n_seeds), N_TABLES) <= limit(0.05, N_TABLES)


@pytest.mark.parametrize(("n_seeds", "least"), [(3, (0.12, 0.58, 0.95)), (5, (0.20, 0.80, 0.99))])
def test_bold_finds_methods_one_two_and_three_points_below(n_seeds: int, least: tuple[float, ...]) -> None:
    setting = Setting("equal", 1, 7, n_seeds)
    assert all(
        power(is_dropped, setting, gap, N_TABLES) >= share for gap, share in zip((0.01, 0.02, 0.03), least, strict=True)
    )


def test_differences_find_them_with_five_seeds() -> None:
    setting = Setting("equal", 1, 7, 5)
    found = [power(is_different, setting, gap, N_TABLES) for gap in (0.01, 0.02, 0.03)]
    assert all(share >= least for share, least in zip(found, (0.03, 0.45, 0.9), strict=True))
