"""The suite that compares all methods has them all, each tuned by its rate alone in its own range."""

from pathlib import Path

from harness.bases.info import base_info
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
