"""The error of races in a small version of the simulation, and that they save runs and find what all seeds find."""

import numpy as np
import pytest

from harness.suites.race_power import race_scores
from tests.bench.race_replay import compare, reordered
from tests.bench.racing import LOOKS, MANY, MARGIN, N_EXAMPLES, Setting, false_equivalence, race_error, saved
from tests.bench.test_verdicts import limit
from tests.cells.test_race import Field

N_RACES = 500


@pytest.mark.parametrize("noise", ["equal", "one tenfold"])
@pytest.mark.parametrize("n_examples", [N_EXAMPLES, MANY])
@pytest.mark.parametrize("n_methods", [2, 5])
def test_one_of_the_best_is_found_worse_in_at_most_5_percent(noise: str, n_examples: int, n_methods: int) -> None:
    error, _ = race_error(Setting(noise, n_examples, 1, n_methods), N_RACES)
    assert error <= limit(0.05, N_RACES)


def test_nor_is_it_over_all_tasks() -> None:
    assert race_error(Setting("equal", N_EXAMPLES, 4, 4), 200)[0] <= limit(0.05, 200)


def test_what_differs_by_the_margin_is_found_equivalent_in_at_most_5_percent() -> None:
    assert false_equivalence(Setting("equal", MANY, 1, 2), N_RACES) <= limit(0.05, N_RACES)
    assert false_equivalence(Setting("equal", N_EXAMPLES, 1, 3), N_RACES) <= limit(0.05, N_RACES)


def test_three_points_are_found_with_less_than_half_of_the_runs() -> None:
    found = saved(Setting("equal", N_EXAMPLES, 1, 7), 0.03, 200)
    assert found.runs < 0.5
    assert found.found > 0.95 * found.found_by_all


def test_equal_methods_end_as_equivalent_where_examples_allow_it() -> None:
    found = saved(Setting("equal", MANY, 1, 7), 0.0, 200)
    assert found.equivalent > 0.95
    assert found.runs < 0.6


def test_seeds_are_run_until_a_method_leaves_and_no_longer() -> None:
    setting = Setting("equal", MANY, 1, 4)
    courses = setting.race(setting.draw(np.array([0.0, 0.0, 0.05, 0.1]), 0, 50), MARGIN)
    at_look = np.array([0, *LOOKS])
    left = courses.dropped > 0
    assert (courses.n_seeds[left] == at_look[courses.dropped[left]]).all()
    stays = np.where(left, 0, courses.n_seeds)
    assert (stays.max(axis=-1, keepdims=True) == np.where(left, stays.max(axis=-1, keepdims=True), stays)).all()


def test_one_look_at_all_seeds_is_the_tables_rule() -> None:
    from harness.suites.power import is_dropped

    setting = Setting("one tenfold", N_EXAMPLES, 3, 5)
    scores = setting.draw(np.linspace(0, 0.04, 5), 4, 60)
    courses = race_scores(scores, [12], setting.example_variance, N_EXAMPLES, 0.0)
    assert ((courses.dropped > 0) == is_dropped(scores, setting.example_variance, N_EXAMPLES)).all()


def test_a_race_over_stored_runs_is_put_beside_all_of_them() -> None:
    field = Field([2.0, 1.95, 0.3])
    found = compare(field.race, field.runs, field.read)
    assert (found["runs"], found["of"]) == (19, 24)
    assert found["verdicts"] == {"open by the race, open by all seeds": 2, "worse by the race, worse by all seeds": 1}
    assert found["train_seconds"] < found["train_seconds_of_all"]
    backwards = compare(reordered(field.race, range(7, -1, -1)), field.runs, field.read)
    assert backwards["of"] == 24
    assert sum(backwards["verdicts"].values()) == 3
