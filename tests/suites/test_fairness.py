"""Every fault is found in a suite made wrong on purpose, and none in a fair one or in those that ship."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import benchmarks
from harness.core.spec import merge
from harness.measure.hardware import detect_precision
from harness.storage.record import DataInfo, Params, Record
from harness.suites.examples import Texts, check_examples
from harness.suites.fairness import check_methods, check_params
from harness.suites.history import check_fingerprints, check_records
from harness.suites.lint import lint
from harness.suites.suite import SuiteRun, expand, parse_suite, read_suite

SHIPPED = sorted((Path(benchmarks.__path__[0]) / "suites").rglob("*.toml"))

OTHER_PRECISION = "fp32" if detect_precision() == "bf16" else "bf16"

FAIR: dict[str, Any] = {
    "tasks": ["rotten_tomatoes"],
    "seeds": [0, 1, 2, 3, 4],
    "worth_claiming": 0.05,
    "training": {"epochs": 3},
    "methods": {"full": {}, "lora": {"rank": 4}, "adalora": {"target_rank": 4}, "zero_shot": {}},
}


def faults_of_methods(**changes: Any) -> set[str]:
    suite = parse_suite(merge(FAIR, changes))
    return {finding.fault for finding in check_methods(expand(suite))}


def test_a_fair_suite_has_no_finding() -> None:
    assert faults_of_methods() == set()


PLANTED: list[tuple[str, dict[str, Any]]] = [
    ("unequal_training", {"methods": {"lora": {"training": {"epochs": 10}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"max_steps": 50}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"batch_size": 8}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"eval_every": 1}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"patience": 1}}}}),
    ("unequal_data", {"methods": {"lora": {"task": {"train_limit": 100}}}}),
    ("unequal_data", {"methods": {"lora": {"task": {"validation_limit": 100}}}}),
    ("unequal_data", {"methods": {"zero_shot": {"task": {"test_limit": 100}}}}),
    ("unequal_data", {"methods": {"lora": {"base": {"max_length": 64}}}}),
    (
        "unequal_tuning",
        {"methods": {"lora_2": {"name": "lora", "rank": 4, "dropout": 0.1}}},
    ),
    ("one_learning_rate", {"training": {"learning_rate": 1e-4}}),
    ("unequal_rank", {"methods": {"lora": {"rank": 64}}}),
    ("unequal_passes", {"recipes": ["none", "fgm"]}),
    ("unequal_tuning", {"methods": {"lora": {"training": {"learning_rate": 2e-3}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"weight_decay": 0.1}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"schedule": "cosine"}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"warmup_ratio": 0.2}}}}),
    ("unequal_training", {"methods": {"lora": {"training": {"precision": OTHER_PRECISION}}}}),
    ("unequal_prompts", {"bases": ["smollm2-135m"], "methods": {"lora": {"prompt": {"template": 1}}}}),
    ("unequal_prompts", {"bases": ["smollm2-135m"], "methods": {"zero_shot": {"evaluation": {"n_beams": 4}}}}),
    ("unequal_computation", {"methods": {"lora": {"training": {"cache_trunk": False}}}}),
]
"""A fault, and the change of the fair suite that has it."""


@pytest.mark.parametrize(("fault", "changes"), PLANTED)
def test_a_fault_in_the_methods_is_found_and_is_the_only_one(fault: str, changes: dict[str, Any]) -> None:
    assert faults_of_methods(**changes) == {fault}


def test_recipes_of_as_many_passes_are_equal() -> None:
    assert faults_of_methods(recipes=["none", "ema", "label_smoothing"]) == set()


def test_the_same_effective_batch_is_equal() -> None:
    assert faults_of_methods(methods={"lora": {"training": {"batch_size": 16, "accumulation_steps": 2}}}) == set()


def test_one_learning_rate_is_fine_for_methods_published_with_similar_ones() -> None:
    suite = parse_suite({**FAIR, "methods": {"lora": {}, "adalora": {}}, "training": {"learning_rate": 5e-4}})
    assert not list(check_methods(expand(suite)))


def test_a_head_reads_no_prompt_so_another_one_is_no_fault() -> None:
    assert faults_of_methods(methods={"zero_shot": {"prompt": {"template": 1}}}) == set()


def test_a_rate_held_fixed_for_one_method_inside_a_search_is_found() -> None:
    suite = parse_suite(merge(FAIR, {"methods": {"lora": {"training": {"learning_rate": 5e-4}}}}))
    [finding] = check_methods(expand(suite), is_searched=True)
    assert finding.fault == "unequal_tuning"
    assert "set for lora, and the others' are searched" in finding.what


def test_the_same_rates_set_for_all_methods_are_fine() -> None:
    rates = {label: {"training": {"learning_rate": rate}} for label, rate in (("full", 5e-5), ("lora", 4e-4))}
    suite = parse_suite({**FAIR, "methods": rates})
    assert not list(check_methods(expand(suite)))


def a_record(cell: SuiteRun, fingerprint: str = "a" * 12, **params: int) -> Record:
    return Record(
        run_id="0" * 12,
        status="ok",
        spec=cell.spec,
        started_at="",
        finished_at="",
        data=DataInfo(fingerprint=fingerprint),
        params=Params(**params),
    )


def test_trained_parameters_are_compared_as_measured_without_heads() -> None:
    cells = {cell.label: cell for cell in expand(parse_suite(FAIR))}
    full = a_record(cells["full"], trainable_final=22_000_000, total=22_700_000)
    lora = a_record(cells["lora"], trainable_final=166_000 + 770, head=770, total=22_700_000)
    equal = a_record(cells["adalora"], trainable_final=170_000, head=770, total=22_700_000)
    larger = a_record(cells["adalora"], trainable_final=900_000, head=770, total=22_700_000)
    assert not list(check_params(cells.values(), [full, lora, equal]))
    [finding] = check_params(cells.values(), [full, lora, larger])
    assert finding.fault == "unequal_params"
    assert "lora 166,000" in finding.what
    assert "full" not in finding.what


def test_records_of_the_same_task_and_seed_on_other_examples_are_found() -> None:
    cells = [cell for cell in expand(parse_suite({**FAIR, "task": {"path": "/nonexistent"}})) if cell.spec.seed < 2]
    seed_0, seed_1 = (next(cell for cell in cells if cell.spec.seed == seed) for seed in (0, 1))
    assert not list(check_fingerprints(cells, [a_record(seed_0, "a" * 12), a_record(seed_1, "b" * 12)]))
    [finding] = check_fingerprints(cells, [a_record(seed_0, "a" * 12), a_record(seed_0, "b" * 12)])
    assert finding.fault == "mixed_fingerprints"


RUN = parse_suite({**FAIR, "task": {"path": "/nonexistent"}})
"""The fair suite, on examples that can't be looked at again."""


def records_of(changes: Callable[[SuiteRun], dict[str, Any]], n_seeds: int = 5) -> list[Record]:
    """A record of every cell of it on the first seeds, changed."""
    cells = expand(RUN.model_copy(update={"seeds": list(range(n_seeds))}))
    same = {"environment": {"cpu": "A", "versions": {"torch": "2.13.0"}}}
    return [a_record(cell).model_copy(update=same | changes(cell)) for cell in cells]


def of_lora(changes: dict[str, Any], seeds: range = range(5)) -> Callable[[SuiteRun], dict[str, Any]]:
    return lambda cell: changes if cell.label == "lora" and cell.spec.seed in seeds else {}


LORA_LOST_TWO = of_lora({"status": "diverged"}, range(2))
LORA_LOST_ONE = of_lora({"status": "diverged"}, range(1))
ON_A_GPU = of_lora({"environment": {"accelerator": "NVIDIA H100"}})
WITH_AN_OLDER_TORCH = of_lora({"environment": {"cpu": "A", "versions": {"torch": "2.12.0"}}})

PLANTED_IN_RECORDS = [
    ("chosen_seeds", records_of(of_lora({}), n_seeds=8), "lora 5-7"),
    ("lost_runs", records_of(LORA_LOST_TWO), "of 5 runs of lora"),
    ("mixed_devices", records_of(ON_A_GPU), "NVIDIA H100 (lora)"),
    ("mixed_versions", records_of(WITH_AN_OLDER_TORCH), "2.12.0 (lora); 2.13.0 (adalora, full, zero_shot)"),
]
"""A fault, records that have it, and what is told of it."""


@pytest.mark.parametrize(("fault", "records", "told"), PLANTED_IN_RECORDS)
def test_a_fault_in_the_records_is_found_and_is_the_only_one(fault: str, records: list[Record], told: str) -> None:
    [finding] = check_records(RUN, expand(RUN), records)
    assert finding.fault == fault
    assert told in finding.what


def test_whole_records_and_one_lost_run_of_five_are_no_fault() -> None:
    for records in ([], records_of(of_lora({})), records_of(of_lora({}), n_seeds=3), records_of(LORA_LOST_ONE)):
        assert not list(check_records(RUN, expand(RUN), records))


def test_few_validation_examples_for_many_trials_are_found() -> None:
    def found(trials: int, n_validation: int, claim: float) -> list[str]:
        suite = parse_suite(merge(FAIR, {"search": {"trials": trials, "seeds": [9]}, "worth_claiming": claim}))
        split = texts(GOOD.train, keys(5000, 5000 + n_validation), GOOD.test)
        findings = check_examples(suite, {"rotten_tomatoes": split})
        return [finding.remedy for finding in findings if finding.fault == "few_validation_examples"]

    [remedy] = found(20, 64, 0.1)
    assert "use 70 validation examples" in remedy
    assert not found(20, 70, 0.1)
    assert not found(2, 64, 0.1)
    assert found(20, 70, 0.05)


def test_22_faults_are_planted() -> None:
    """Those above, and a held rate in a search, few validation examples, and unequal parameters."""
    assert len(PLANTED) + len(PLANTED_IN_RECORDS) + 3 >= 22


def keys(start: int, stop: int) -> frozenset[str]:
    return frozenset(f"text{number}" for number in range(start, stop))


def texts(train: frozenset[str], validation: frozenset[str], test: frozenset[str]) -> Texts:
    return Texts(train, validation, test, len(validation), len(test))


GOOD = texts(keys(0, 5000), keys(5000, 6000), keys(6000, 8000))
OTHER = texts(keys(10000, 15000), keys(15000, 16000), keys(16000, 18000))


@pytest.mark.parametrize(
    ("faults", "first", "second"),
    [
        (set(), GOOD, OTHER),
        ({"few_examples", "few_seeds"}, GOOD, texts(OTHER.train, OTHER.validation, keys(16000, 16100))),
        ({"test_for_selection"}, GOOD, texts(OTHER.train, OTHER.test, OTHER.test)),
        ({"leakage"}, GOOD, texts(GOOD.test, OTHER.validation, OTHER.test)),
        ({"leakage"}, GOOD, texts(OTHER.train, OTHER.validation, keys(4000, 6000))),
        (set(), GOOD, texts(OTHER.train | keys(6000, 6010), OTHER.validation, OTHER.test)),
    ],
)
def test_faults_of_the_examples(faults: set[str], first: Texts, second: Texts) -> None:
    suite = parse_suite({**FAIR, "tasks": ["rotten_tomatoes", "sms_spam"]})
    findings = check_examples(suite, {"rotten_tomatoes": first, "sms_spam": second})
    assert {finding.fault for finding in findings} == faults


def test_sst2_and_rotten_tomatoes_leak_even_where_their_data_is_out_of_reach() -> None:
    suite = parse_suite({**FAIR, "tasks": ["rotten_tomatoes", "sst2"]})
    [finding] = check_examples(suite, {})
    assert finding.fault == "leakage"


def test_a_task_that_is_only_tested_on_leaks_too() -> None:
    suite = parse_suite({**FAIR, "tasks": ["rotten_tomatoes"]})
    [finding] = check_examples(
        suite, {"rotten_tomatoes": GOOD, "imdb": texts(OTHER.train, OTHER.validation, GOOD.train)}
    )
    assert finding.fault == "leakage"
    assert "test examples of imdb" in finding.what


def test_suites_ship() -> None:
    assert {path.stem for path in SHIPPED} >= {"smoke", "offline", "glue", "quantization"}


COMPARED_ON_PURPOSE = {"methods": {"unequal_params"}, "recipes": {"unequal_passes"}}
"""Suite → what is unequal because it is what the suite compares."""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_suites_have_no_finding(path: Path) -> None:
    found = {finding.fault for finding in lint(read_suite(path), []).findings}
    assert found == COMPARED_ON_PURPOSE.get(path.stem, set())


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"seeds": [0]}, "use 3 seeds"),
        ({"worth_claiming": 0.02}, "use 8 seeds"),
        ({"worth_claiming": 0.02, "tasks": ["rotten_tomatoes", "sms_spam", "bbc_news", "trec"]}, "use 10 seeds"),
        ({"worth_claiming": 0.01}, "no number of seeds is enough"),
    ],
)
def test_too_few_seeds_are_found_by_the_tables_own_rule(changes: dict[str, Any], remedy: str) -> None:
    suite = parse_suite(merge(FAIR, changes))
    found = [f for f in check_examples(suite, dict.fromkeys(suite.tasks, GOOD)) if f.fault == "few_seeds"]
    assert [remedy in finding.remedy for finding in found] == [True]


def test_the_rows_that_a_search_adds_are_counted() -> None:
    suite = parse_suite(merge(FAIR, {"search": {"trials": 4, "seeds": [9]}, "worth_claiming": 0.02, "seeds": [0]}))
    [finding] = [f for f in check_examples(suite, {"rotten_tomatoes": GOOD}) if f.fault == "few_seeds"]
    assert "among 8 rows" in finding.what
