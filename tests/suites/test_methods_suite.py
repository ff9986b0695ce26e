"""The suite that compares all methods has them all, each tuned by its rate alone in its own range."""

from pathlib import Path

import pytest

from harness.bases.info import base_info
from harness.core.errors import SpecError
from harness.core.info import TaskInfo
from harness.method import METHODS
from harness.search.plan import make_plan
from harness.suites.suite import expand_studies, read_suite

FILE = Path(__file__).parents[2] / "benchmarks" / "suites" / "methods.toml"


def test_every_method_that_applies_is_in_it() -> None:
    suite = read_suite(FILE)
    base, task = base_info("minilm", "none"), TaskInfo("classification", "head", 2, has_head=True)
    applies = {name for name in METHODS.names() if METHODS.make(name).skip(base, task) is None}
    assert set(suite.methods) == applies | {"zero_shot"}


def test_each_is_tuned_by_its_rate_alone() -> None:
    suite = read_suite(FILE)
    assert suite.search
    for cell in expand_studies(suite):
        plan = make_plan(cell.asked, suite.search)
        trained = plan.run.method.trains
        assert set(plan.space) == ({"training.learning_rate"} if trained else set())
        if trained and (rates := plan.run.method.space().get("learning_rate")):
            assert plan.space["training.learning_rate"] == rates


def test_only_names_fields_of_a_spec() -> None:
    suite = read_suite(FILE)
    assert suite.search
    wrong = suite.search.model_copy(update={"only": ("learning_rate",)})
    with pytest.raises(SpecError, match=r"as method\.rank or training\.learning_rate; got 'learning_rate'"):
        make_plan(expand_studies(suite)[0].asked, wrong)
