"""What a study proposes, counts, prunes and chooses."""

import math
from pathlib import Path

import optuna
import pytest

from harness.core.errors import SpecError
from harness.core.space import Range
from harness.core.spec import RunSpec, parse_spec
from harness.method import METHODS, make_method
from harness.runs.resolve import resolve
from harness.search.plan import OnValidation
from harness.search.record import read_study
from harness.search.space import default_params, grid, search_space
from harness.search.spec import Pruner, Sampler, SearchSpec
from harness.search.storage import open_storage
from harness.search.study import search_cell
from harness.storage.record import Record
from tests.search.stand_in import LORA, score, stand_in

HOT = {"training.learning_rate": Range(1e-4, 10.0, log=True)}
"""A space whose upper fifth diverges."""


def spec_of(method: str) -> RunSpec:
    return parse_spec({"method": {"name": method}, "task": {"name": "rotten_tomatoes"}})


@pytest.mark.parametrize("method", METHODS.names())
def test_space_of_every_method_holds_its_default_and_gives_valid_specs(method: str, tmp_path: Path) -> None:
    spec = spec_of(method)
    space = search_space(spec, make_method(spec.method))
    for name, value in default_params(make_method(spec.method), space).items():
        assert value in space[name]
    assert ("training.learning_rate" in space) == METHODS.find(method).trains
    study = search_cell(spec, SearchSpec(trials=4, sampler="random"), tmp_path, run_trial=stand_in)
    for trial in study.trials:
        make_method(study.spec_of(trial.number).method)


def test_learning_rate_is_centred_on_the_published_one_in_log_scale() -> None:
    rates = search_space(LORA, make_method(LORA.method))["training.learning_rate"]
    assert isinstance(rates, Range)
    assert rates.log
    assert math.sqrt(rates.low * rates.high) == pytest.approx(METHODS.find("lora").learning_rate)
    middle = grid({"rate": rates})["rate"][2]
    assert middle == pytest.approx(METHODS.find("lora").learning_rate)


def test_what_the_spec_sets_is_not_searched() -> None:
    spec = LORA.updated(method={"rank": 4}, training={"learning_rate": 1e-4})
    assert set(search_space(LORA, make_method(LORA.method))) - set(search_space(spec, make_method(spec.method))) == {
        "method.rank",
        "training.learning_rate",
    }


def test_trial_0_is_the_default_and_the_file_tells_the_study(tmp_path: Path) -> None:
    study = search_cell(LORA, SearchSpec(trials=6), tmp_path, run_trial=stand_in)
    assert study.trials[0].params == default_params(
        make_method(LORA.method), search_space(LORA, make_method(LORA.method))
    )
    assert study.spec_of(0) == resolve(LORA).spec
    assert [trial.number for trial in study.trials] == list(range(6))
    assert read_study(tmp_path / "studies" / f"{study.name}.json") == study
    best = study.trial(study.best[0])
    assert best.values == [score(study.spec_of(best.number))]
    assert best.values[0] == max(trial.values[0] for trial in study.trials)


def test_objective_never_sees_test(tmp_path: Path) -> None:
    """The stand-in's test accuracy is 1 - validation accuracy, so a search by test would choose the worst."""
    study = search_cell(LORA, SearchSpec(trials=8, pruner="none"), tmp_path, run_trial=stand_in)
    assert study.best == [max(study.trials, key=lambda trial: score(study.spec_of(trial.number))).number]


def test_diverged_trials_are_failures_that_count_and_teach(tmp_path: Path) -> None:
    study = search_cell(LORA, SearchSpec(trials=25, pruner="none"), tmp_path, space=HOT, run_trial=stand_in)
    failed = [trial for trial in study.trials if trial.status == "failed"]
    assert len(study.trials) == 25
    assert failed
    assert all(trial.params["training.learning_rate"] >= 1 for trial in failed)
    assert all(trial.reason == "the loss became nan at step 11" and trial.run_ids for trial in failed)
    assert study.best[0] not in [trial.number for trial in failed]
    # Ten random trials come first; a sampler that learned nothing would fail in one fifth of the others.
    assert len([trial for trial in failed if trial.number >= 12]) <= 1


@pytest.mark.parametrize("sampler", ["random", "qmc", "gp", "cmaes", "grid"])
def test_every_sampler_goes_on_after_failures(tmp_path: Path, sampler: Sampler) -> None:
    for objectives in (("quality",), ("quality", "memory"))[: 1 if sampler == "cmaes" else 2]:
        spec = SearchSpec(trials=12, sampler=sampler, objectives=objectives, pruner="none")
        study = search_cell(LORA, spec, tmp_path, space=HOT, run_trial=stand_in)
        # A grid of five learning rates, of which one diverges, after the default.
        assert len(study.trials) == (6 if sampler == "grid" else 12)
        assert study.completed


def test_study_in_which_everything_fails_ends(tmp_path: Path) -> None:
    space = {"training.learning_rate": Range(1.0, 10.0, log=True)}
    spec = LORA.updated(method={"rank": 8})

    def fails(spec: RunSpec, on_validation: OnValidation) -> Record:
        return stand_in(spec.updated(training={"learning_rate": 10.0}), on_validation)

    study = search_cell(spec, SearchSpec(trials=4), tmp_path, space=space, run_trial=fails)
    assert [trial.status for trial in study.trials] == ["failed"] * 4
    assert study.best == []


def test_skipped_cell_is_wrong_input_with_its_reason(tmp_path: Path) -> None:
    def skips(spec: RunSpec, on_validation: OnValidation) -> Record:
        return stand_in(spec, on_validation).model_copy(update={"status": "skipped", "reason": "full can't train 4bit"})

    with pytest.raises(SpecError, match="full can't train 4bit"):
        search_cell(LORA, SearchSpec(trials=4), tmp_path, run_trial=skips)


def test_nothing_to_vary_is_one_trial_and_a_grid_ends_when_it_is_visited(tmp_path: Path) -> None:
    settings = METHODS.find("lora")().model_dump()
    fixed = LORA.updated(method=settings, training={"learning_rate": 1e-3})
    assert len(search_cell(fixed, SearchSpec(trials=9), tmp_path, run_trial=stand_in).trials) == 1
    ranks = LORA.updated(method={**settings, "rank": 8}, training={"learning_rate": 1e-3})
    space = {"method.rank": search_space(LORA, make_method(LORA.method))["method.rank"]}
    study = search_cell(ranks, SearchSpec(trials=99, sampler="grid"), tmp_path, space=space, run_trial=stand_in)
    assert sorted(trial.params["method.rank"] for trial in study.trials[1:]) == [2, 4, 8, 16, 32]


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruning_saves_steps_and_reports_at_examples_seen(tmp_path: Path, pruner: Pruner) -> None:
    spec = SearchSpec(trials=20, sampler="random", pruner=pruner)
    pruned = search_cell(LORA, spec, tmp_path, run_trial=stand_in)
    full = search_cell(LORA, spec.model_copy(update={"pruner": "none"}), tmp_path, run_trial=stand_in)
    assert [trial.params for trial in pruned.trials] == [trial.params for trial in full.trials]
    assert full.steps == 20 * 40
    assert pruned.steps < 0.8 * full.steps
    assert all(trial.steps == 40 for trial in pruned.trials if trial.status == "complete")
    assert {trial.steps for trial in pruned.trials if trial.status == "pruned"} <= {10, 20, 30}


def test_reports_are_at_examples_seen_over_all_seeds(tmp_path: Path) -> None:
    spec = LORA.updated(training={"batch_size": 8, "accumulation_steps": 2})
    study = search_cell(spec, SearchSpec(trials=1, seeds=(3, 4)), tmp_path, run_trial=stand_in)
    with open_storage(None, tmp_path / "studies", study.name) as shared:
        trial = optuna.load_study(study_name=study.name, storage=shared.storage).trials[0]
    assert list(trial.intermediate_values) == [160, 320, 480, 640, 800, 960, 1120, 1280]
    assert trial.value == pytest.approx(
        (score(study.spec_of(0).updated(seed=3)) + score(study.spec_of(0).updated(seed=4))) / 2
    )


def test_wilcoxon_prunes_over_seeds(tmp_path: Path) -> None:
    spec = SearchSpec(trials=12, sampler="random", pruner="wilcoxon", seeds=tuple(range(8)))
    study = search_cell(LORA, spec, tmp_path, run_trial=stand_in)
    pruned = [trial for trial in study.trials if trial.status == "pruned"]
    assert pruned
    assert all(4 <= len(trial.run_ids) < 8 for trial in pruned)


def test_pareto_front_is_optunas(tmp_path: Path) -> None:
    spec = SearchSpec(trials=20, objectives=("quality", "trainable_params"))
    study = search_cell(LORA, spec, tmp_path, run_trial=stand_in)
    with open_storage(None, tmp_path / "studies", study.name) as shared:
        front = optuna.load_study(study_name=study.name, storage=shared.storage).best_trials
    assert 1 < len(study.best) < 20
    assert study.best == sorted(trial.number for trial in front)


def test_larger_study_within_a_smaller_budget_is_the_smaller_study(tmp_path: Path) -> None:
    small, large = SearchSpec(trials=5, sampler="random"), SearchSpec(trials=20, sampler="random")
    first = search_cell(LORA, small, tmp_path, run_trial=stand_in)
    second = search_cell(LORA, large, tmp_path, run_trial=stand_in)
    assert second.best != first.best
    assert second.within(small) == first


def test_budget_of_seconds_is_kept_within_a_validation(tmp_path: Path) -> None:
    import time

    def slow(spec: RunSpec, on_validation: OnValidation) -> Record:
        def validated(step: int, metrics: dict[str, float]) -> None:
            time.sleep(0.05)
            on_validation(step, metrics)

        return stand_in(spec, validated)

    first = search_cell(LORA, SearchSpec(budget_seconds=0.7), tmp_path, run_trial=slow)
    assert 0.7 <= first.seconds < 0.9
    more = search_cell(LORA, SearchSpec(budget_seconds=1.2), tmp_path, run_trial=slow)
    assert more.trials[: len(first.trials)] == first.trials
    assert 1.2 <= more.seconds < 1.4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either trials or budget_seconds"),
        ({"trials": 3, "budget_seconds": 9}, "either trials or budget_seconds"),
        ({"trials": 3, "pruner": "wilcoxon"}, "at least 5"),
        ({"trials": 3, "pruner": "median", "objectives": ("quality", "memory")}, "pruner must be none"),
        ({"trials": 3, "sampler": "cmaes", "objectives": ("quality", "memory")}, "another sampler"),
        ({"trials": 3, "objectives": ("quality", "quality")}, "each objective"),
        ({"trials": 3, "seeds": (1, 1)}, "each seed"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSpec.model_validate(fields)
