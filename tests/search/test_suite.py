"""A suite tunes every method with the same budget and shows tuned and default side by side."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cells.cells import lookup, make_layout
from harness.cells.tuning import label_tuning, tuning_sentence
from harness.core.errors import SpecError
from harness.runs.resolve import resolve
from harness.search.record import StudyRecord, find_studies
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from harness.suites.suite import expand, expand_studies, parse_suite
from harness.suites.tune import find_study, winners
from tests.search.stand_in import stand_in

SUITE = {
    "tasks": ["rotten_tomatoes"],
    "seeds": [0, 1],
    "search": {"trials": 8, "sampler": "random", "seeds": [100]},
    "methods": {"lora": {"rank": 4}, "adapters": {}, "prefix": {}},
}


def tune_all(results: Path) -> list[StudyRecord]:
    suite = parse_suite(SUITE)
    assert suite.search
    return [search_cell(cell.asked, suite.search, results, run_trial=stand_in) for cell in expand_studies(suite)]


def test_every_method_gets_the_same_budget_and_keeps_what_the_file_sets(tmp_path: Path) -> None:
    studies = tune_all(tmp_path)
    assert [len(study.completed) for study in studies] == [8, 8, 8]
    lora = studies[0]
    assert "method.rank" not in lora.trials[1].params
    assert all(lora.spec_of(trial.number).method.settings["rank"] == 4 for trial in lora.trials)


def test_longer_study_of_one_method_gains_it_nothing_in_the_suite(tmp_path: Path) -> None:
    suite = parse_suite(SUITE)
    assert suite.search
    cells = expand_studies(suite)
    tune_all(tmp_path)
    before = winners(suite, cells, tmp_path)
    more = SearchSpec.model_validate({**SUITE["search"], "trials": 40})  # type: ignore[dict-item]
    search_cell(cells[0].asked, more, tmp_path, run_trial=stand_in)
    assert winners(suite, cells, tmp_path) == before
    study = find_study(cells[0], suite.search, tmp_path)
    assert study is not None
    assert len(study.completed) == 8
    assert find_study(cells[1], more, tmp_path) is None


def test_winners_run_on_the_suites_seeds_and_are_resolved(tmp_path: Path) -> None:
    suite = parse_suite(SUITE)
    assert suite.search
    studies = tune_all(tmp_path)
    cells = winners(suite, expand_studies(suite), tmp_path)
    assert [(cell.label, cell.spec.seed) for cell in cells] == [
        (f"{method} (tuned)", seed) for method in ("lora", "adapters", "prefix") for seed in (0, 1)
    ]
    assert all(resolve(cell.spec).spec == cell.spec for cell in cells)
    assert cells[0].spec == studies[0].spec_of(studies[0].best[0])


def test_table_has_tuned_and_default_side_by_side_without_the_trials(tmp_path: Path) -> None:
    suite = parse_suite(SUITE)
    assert suite.search
    studies = tune_all(tmp_path)
    trials = [study.spec_of(trial.number).updated(seed=100) for study in studies for trial in study.trials[1:]]
    tuned = [cell.spec for cell in winners(suite, expand_studies(suite), tmp_path)]
    specs = [*(cell.spec for cell in expand(suite)), *trials, *tuned]
    records = {spec.model_dump_json(): stand_in(spec, lambda step, metrics: None) for spec in specs}
    labelled = label_tuning(records.values(), studies)
    found = sorted((record.spec.method.name, str(lookup(record, "tuning")), record.spec.seed) for record in labelled)
    tuning = ("best of 8 trials", "default")
    assert found == [(method, t, seed) for method in ("adapters", "lora", "prefix") for t in tuning for seed in (0, 1)]
    assert tuning_sentence(labelled) == (
        "Tuned on validation, the published default being the first trial: "
        "8 trials a cell, sampler random, pruner median, search seeds 100."
    )
    assert "tuning" in make_layout(labelled).rows


def test_default_that_was_never_beaten_is_both(tmp_path: Path) -> None:
    study = tune_all(tmp_path)[0]
    only_default = study.within(SearchSpec(trials=2, sampler="random", seeds=(100,)))
    record: Record = stand_in(study.spec_of(0).updated(seed=3), lambda step, metrics: None)
    labels = [lookup(copy, "tuning") for copy in label_tuning([record], [only_default])]
    assert labels == ["default", "best of 2 trials"]
    chose = record.model_copy(update={"spec": record.spec.updated(seed=100)})
    assert label_tuning([chose], [only_default]) == []
    beaten = study.best != [0]
    assert beaten
    assert [lookup(copy, "tuning") for copy in label_tuning([chose], [study])] == ["default"]


def test_one_setting_shows_one_number_in_both_of_its_rows(tmp_path: Path) -> None:
    """The default won, and was also run on the search's seed: that run is in neither row."""
    study = tune_all(tmp_path)[0].within(SearchSpec(trials=2, sampler="random", seeds=(100,)))
    records = [stand_in(study.spec_of(0).updated(seed=seed), lambda step, metrics: None) for seed in (0, 1, 100)]
    labelled = label_tuning(records, [study])
    rows = {
        label: [record.run_id for record in labelled if lookup(record, "tuning") == label]
        for label in ("default", "best of 2 trials")
    }
    assert rows["default"] == rows["best of 2 trials"] == [record.run_id for record in records[:2]]


def test_a_default_without_a_rival_is_no_winner(tmp_path: Path) -> None:
    """A method that has nothing to search gets one trial, which chooses nothing."""
    study = tune_all(tmp_path)[0].within(SearchSpec(trials=1, sampler="random", seeds=(100,)))
    records = [stand_in(study.spec_of(0).updated(seed=seed), lambda step, metrics: None) for seed in (0, 100)]
    assert [lookup(copy, "tuning") for copy in label_tuning(records, [study])] == ["default", "default"]


def test_unequal_budgets_are_told(tmp_path: Path) -> None:
    studies = tune_all(tmp_path)
    few = studies[1].within(SearchSpec(trials=2, sampler="random", seeds=(100,)))
    specs = [study.spec_of(study.best[0]).updated(seed=3) for study in (studies[0], few)]
    records = [stand_in(spec, lambda step, metrics: None) for spec in specs]
    told = tuning_sentence(label_tuning(records, [studies[0], few]))
    assert "The budgets are unequal" in told
    assert "adapters best of 2 trials; lora best of 8 trials" in told
    assert "unequal" not in tuning_sentence(label_tuning(records[:1], studies))


def test_records_without_a_study_stay_as_they_are(tmp_path: Path) -> None:
    study = tune_all(tmp_path)[0]
    record = stand_in(study.spec_of(0).updated(method={"rank": 16}), lambda step, metrics: None)
    assert label_tuning([record], [study]) == [record]
    assert tuning_sentence([record]) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1, 7]}, "search.seeds: 1 is among seeds"),
        ({"objectives": ["quality", "memory"]}, "quality alone"),
        ({"sampler": "tpee"}, "did you mean 'tpe'"),
        ({"budget_seconds": 5}, "either trials or budget_seconds"),
    ],
)
def test_wrong_search_section_is_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_suite({**SUITE, "search": {**SUITE["search"], **changes}})  # type: ignore[dict-item]


def call(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_suite_with_search_from_file_to_table(tmp_path: Path, snapshots: dict[str, Path], tiny_data: Path) -> None:
    file, results = tmp_path / "suite.toml", ("--results", str(tmp_path / "results"))
    file.write_text(
        f'bases = ["{snapshots["encoder"]}"]\ntasks = ["sst2"]\nseeds = [0, 1]\n'
        f'task.path = "{tiny_data}"\ntraining.max_steps = 6\ntraining.eval_every = 2\n'
        '[search]\ntrials = 3\nsampler = "random"\nseeds = [100]\n[methods.lora]\n[methods.last_layers]\n'
    )
    assert "2 studies of 3 trials, 0 done" in call("suite", str(file), "--dry-run", *results)
    call("suite", str(file), "--workers", "2", *results)
    studies = find_studies(tmp_path / "results")
    assert [len(study.completed) for study in studies] == [3, 3]
    assert "2 studies of 3 trials, 2 done" in call("suite", str(file), "--dry-run", *results)
    table = call("table", *results)
    rows = [line for line in table.splitlines() if line.startswith(("| lora", "| last_layers"))]
    assert len(rows) == 4
    assert sum("default" in row for row in rows) == sum("best of 3 trials" in row for row in rows) == 2
    assert "3 trials a cell, sampler random, pruner median, search seeds 100" in table
