"""Selecting, laying out and grouping records, and what is refused."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harness.cells.cells import (
    Layout,
    differing_fields,
    find_all_mixed,
    find_mixed,
    group,
    label_of,
    layout_of_all,
    lookup,
    make_layout,
    parse_where,
    select,
)
from harness.core.errors import SpecError
from harness.storage.predictions import Answers
from harness.storage.record import Record
from tests.synthetic import make_record


def record(*args: Any, **kwargs: Any) -> Record:
    return Record.model_validate(make_record(*args, **kwargs))


def ids(*names: str) -> Answers:
    return Answers(pa.array(names), np.zeros(len(names)), np.zeros(len(names)))


def no_predictions(run: Record, split: str) -> None:
    return None


BY_METHOD = Layout(rows=("method",), columns=("task",), competing=("method",))


def test_lookup_knows_axes_spec_fields_and_record_fields() -> None:
    run = record("lora", 2, settings={"rank": 8})
    assert [
        lookup(run, field) for field in ("method", "quantization", "training.learning_rate", "method.rank", "seed")
    ] == [
        "lora",
        "none",
        3e-4,
        8,
        2,
    ]
    assert lookup(run, "environment.versions.torch") == "2.13.0"
    assert lookup(run, "data.protocol") == "official"
    assert lookup(record("full"), "method.rank") is None


def test_where_keeps_either_value_of_a_field_and_all_fields() -> None:
    runs = [record(method, seed) for method in ("full", "lora", "prefix") for seed in (0, 1)]
    kept = select(runs, parse_where(["method=lora", "method=full", "seed=1"]))
    assert [(run.spec.method.name, run.spec.seed) for run in kept] == [("full", 1), ("lora", 1)]


def test_where_reads_numbers_as_numbers() -> None:
    assert select([record()], parse_where(["training.learning_rate=3e-4"]))
    assert select([record()], parse_where(["training.max_steps=none"]))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("method", "field=value"),
        ("metod=lora", "did you mean 'method'"),
        ("method=loro", "there are full, lora"),
        ("training.learning_rat=1", "did you mean 'training.learning_rate'"),
    ],
)
def test_a_wrong_condition_is_named(condition: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        select([record("lora"), record("full")], parse_where([condition]))


def test_an_empty_results_folder_is_named() -> None:
    with pytest.raises(SpecError, match="no finished run"):
        select([], {})


def test_the_default_layout_places_what_varies() -> None:
    one = [record("lora"), record("full")]
    assert make_layout(one) == Layout(("method",), ("task",), ("method",))
    several = [*one, record("lora", base="smollm2-135m", quantization="4bit")]
    assert make_layout(several) == Layout(("base", "quantization", "method"), ("task",), ("method",))
    assert make_layout(several, columns=["quantization"]).rows == ("base", "method")
    assert make_layout(several, rows=["task", "base", "quantization"]).columns == ("method",)


def test_a_varying_axis_that_is_placed_nowhere_is_refused() -> None:
    with pytest.raises(SpecError, match="differ in quantization"):
        make_layout([record(), record(quantization="4bit")], rows=["method"], columns=["task"])


def test_a_suites_labels_make_rows_that_stand_for_methods() -> None:
    ranks = {"small": {"rank": 2}, "large": {"rank": 64}}
    runs = [
        record("lora", seed, settings=settings).model_copy(update={"label": label})
        for label, settings in ranks.items()
        for seed in (0, 1)
    ]
    runs += [record("full", seed).model_copy(update={"label": "everything"}) for seed in (0, 1)]
    layout = make_layout(runs, rows=("label",))
    [comparison] = group(runs, layout)
    assert [cell.row for cell in comparison.cells] == [("everything",), ("large",), ("small",)]
    assert [label_of(cell.runs[0], layout.competing) for cell in comparison.cells] == ["everything", "large", "small"]
    with pytest.raises(SpecError, match="differ in method"):
        group([run.model_copy(update={"label": "same"}) for run in runs], layout)


def test_competing_fields_are_checked() -> None:
    runs = [record(), record(base="other")]
    assert make_layout(runs, competing=["base", "method"]).shared == ("task",)
    with pytest.raises(SpecError, match="different tasks"):
        make_layout(runs, competing=["task"])
    with pytest.raises(SpecError, match="neither"):
        make_layout(runs, competing=["quantization"])


def test_cells_hold_seeds_in_order_and_precisions_are_ordered() -> None:
    runs = [record("lora", seed, quantization=q) for q in ("4bit", "none", "8bit") for seed in (1, 10, 2)]
    comparisons = group(runs, make_layout(runs))
    assert [comparison.key[0] for comparison in comparisons] == ["none", "8bit", "4bit"]
    assert [run.spec.seed for run in comparisons[0].cells[0].runs] == [1, 2, 10]


def test_runs_that_differ_in_more_than_the_seed_are_never_averaged() -> None:
    runs = [record("lora", seed, training={"learning_rate": rate}) for seed, rate in enumerate((1e-3, 1e-3, 1e-4))]
    with pytest.raises(SpecError) as caught:
        group(runs, BY_METHOD)
    assert "training.learning_rate (0.0001, 0.001)" in str(caught.value)
    assert "--where training.learning_rate=0.0001" in str(caught.value)
    assert "--rows method,training.learning_rate" in str(caught.value)
    apart = group(runs, Layout(("method", "training.learning_rate"), ("task",), ("method", "training.learning_rate")))
    assert [[run.spec.seed for run in cell.runs] for cell in apart[0].cells] == [[2], [0, 1]]


def test_settings_of_different_methods_may_differ() -> None:
    runs = [record("lora", settings={"rank": 8}), record("adapters", settings={"width": 24})]
    assert len(group(runs, BY_METHOD)[0].cells) == 2
    assert differing_fields([record("lora", 0), record("lora", 1)]) == {}


def test_the_layout_of_all_takes_any_records() -> None:
    runs = [record("lora", settings={"rank": rank}) for rank in (4, 8)] + [record("full", base="other")]
    layout = layout_of_all(runs)
    assert layout.competing == ("method", "method.rank")
    assert sum(len(comparison.cells) for comparison in group(runs, layout)) == 3


def test_the_newest_run_of_a_seed_counts() -> None:
    old, new = record(finished_at="2025-01-01T00:00:00+00:00"), record(finished_at="2025-02-01T00:00:00+00:00")
    for runs in ([old, new], [new, old]):
        assert group(runs, BY_METHOD)[0].cells[0].runs == (new,)


def _with_data(method: str, seed: int, fingerprint: str, protocol: str = "official") -> Record:
    return record(method, seed, data={"fingerprint": fingerprint, "protocol": protocol})


def test_fingerprints_may_differ_between_seeds_but_not_between_methods() -> None:
    subsampled = [_with_data(method, seed, f"f{seed}") for method in ("lora", "full") for seed in (0, 1)]
    comparison = group(subsampled, BY_METHOD)[0]
    assert find_mixed(comparison, lambda run, split: ids("a", "b"), "test") == []
    other = group([*subsampled[:3], _with_data("full", 1, "g1")], BY_METHOD)[0]
    assert find_mixed(other, no_predictions, "test") == ["data fingerprints for seed 1 (f1, g1)"]


def test_test_examples_may_not_differ_between_seeds() -> None:
    comparison = group([_with_data("lora", seed, f"f{seed}") for seed in (0, 1)], BY_METHOD)[0]
    assert find_mixed(comparison, lambda run, split: ids("a", f"b{run.spec.seed}"), "test") == ["test examples"]


def test_protocols_and_devices_may_not_differ() -> None:
    gpu = {"accelerator": "NVIDIA H100", "cpu": "Test CPU"}
    runs = [record("lora"), record("full", environment=gpu), _with_data("prefix", 1, "f", protocol="carved")]
    with pytest.raises(SpecError) as caught:
        find_all_mixed(group(runs, BY_METHOD), no_predictions, "test", allow=False)
    message = str(caught.value)
    assert "split protocols (carved, official)" in message
    assert "devices (NVIDIA H100, Test CPU)" in message
    assert "--mixed" in message
    assert len(find_all_mixed(group(runs, BY_METHOD), no_predictions, "test", allow=True)[0]) == 2


def test_failed_runs_do_not_mix() -> None:
    runs = [record("lora"), record("full", status="failed", environment={"accelerator": "other"})]
    assert find_mixed(group(runs, BY_METHOD)[0], no_predictions, "test") == []


@pytest.mark.parametrize("field", ["curve", "metrics", "metric", "spec", "training", "environment"])
def test_what_is_no_single_value_is_no_field(field: str) -> None:
    records = [Record.model_validate(make_record(method)) for method in ("lora", "full")]
    with pytest.raises(SpecError, match=f"unknown field '{field}'"):
        make_layout(records, rows=("method",), columns=(field,))
    with pytest.raises(SpecError, match=f"unknown field '{field}'"):
        select(records, parse_where([f"{field}=1"]))


def test_a_list_is_a_field_of_text() -> None:
    records = [Record.model_validate(make_record(settings={"targets": ["query", "value"]}))]
    assert lookup(records[0], "method.targets") == "query, value"
    assert select(records, parse_where(['method.targets=["query", "value"]'])) == records
