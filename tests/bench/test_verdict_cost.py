"""The cost of a verdict in short: the ways to it decide the same question. Times are not looked at."""

from harness.search.space import search_space
from harness.suites.suite import expand_studies
from tests.bench.verdict_cost import SIZES, spec_of, suite


def test_only_the_rate_is_tuned_of_every_method_that_trains() -> None:
    for cell in expand_studies(suite(SIZES["usual"], "hyperband")):
        tuned = set(search_space(cell.asked, cell.run.method))
        assert tuned == ({"training.learning_rate"} if cell.run.method.trains else set())


def test_pruned_and_whole_searches_differ_in_nothing_else() -> None:
    pruned, whole = (suite(SIZES["usual"], pruner).model_dump() for pruner in ("hyperband", "none"))
    assert pruned.pop("search") | {"pruner": "none"} == whole.pop("search")
    assert pruned == whole


def test_the_script_runs_the_grids_cells() -> None:
    spec = spec_of(SIZES["toy"], "lora")
    assert spec.training.learning_rate == spec_of(SIZES["usual"], "lora").training.learning_rate == 5e-4
    assert spec.task.train_limit == 16
