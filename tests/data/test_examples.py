"""Rows become examples."""

from typing import Any

import pytest

from harness.core.errors import SourceError
from harness.data.examples import build, field_columns
from harness.data.tasks import find_task

SST2, WNUT, STSB = find_task("sst2"), find_task("wnut17"), find_task("stsb")


def test_only_named_columns_are_kept_and_stripped() -> None:
    row = {"sentence": " a film \n", "label": 1, "idx": 7}
    (example,) = build(SST2, [row], "train")
    assert (example.id, example.fields, example.target) == ("train/0", {"sentence": "a film"}, 1)


@pytest.mark.parametrize(("target", "expected"), [(1, 1), (1.0, 1), (True, 1), ("positive", 1), (" negative ", 0)])
def test_targets_may_be_indices_truth_values_or_names(target: Any, expected: int) -> None:
    (example,) = build(SST2, [{"sentence": "a", "label": target}], "train")
    assert example.target == expected


@pytest.mark.parametrize("target", [2, -2, 0.5, "neutral", "1"])
def test_a_target_that_is_no_label_is_an_error_with_its_row(target: Any) -> None:
    rows = [{"sentence": "a", "label": 0}, {"sentence": "b", "label": target}]
    with pytest.raises(
        SourceError, match=r"sst2: row 1 of test: target .* is none of the 2 labels \(0 negative, 1 pos"
    ):
        build(SST2, rows, "test")


@pytest.mark.parametrize("target", [None, "", -1, float("nan")])
def test_rows_without_a_target_are_left_out_and_ids_stay(target: Any) -> None:
    rows = [{"sentence": "a", "label": target}, {"sentence": "b", "label": 0}]
    assert [example.id for example in build(SST2, rows, "test")] == ["test/1"]


def test_minus_one_is_a_score_where_the_range_has_it() -> None:
    row = {"sentence1": "a", "sentence2": "b", "label": -1.0}
    assert build(STSB, [row], "test") == []
    assert build(STSB.model_copy(update={"value_range": (-2.0, 2.0)}), [row], "test")[0].target == -1.0


def test_an_empty_or_null_text_is_kept() -> None:
    rows = [{"sentence": "", "label": 0}, {"sentence": None, "label": 1}, {"sentence": "  ", "label": 1}]
    assert [example.fields["sentence"] for example in build(SST2, rows, "test")] == ["", "", ""]


def test_tags_go_with_tokens() -> None:
    rows = [{"tokens": ["Anna", "runs"], "ner_tags": [9, 0]}, {"tokens": [], "ner_tags": []}]
    (example,) = build(WNUT, rows, "train")
    assert (example.tokens, example.target, example.fields) == (("Anna", "runs"), (9, 0), {"tokens": "Anna runs"})
    with pytest.raises(SourceError, match="row 0 of train: 2 tokens have 1 labels"):
        build(WNUT, [{"tokens": ["a", "b"], "ner_tags": [0]}], "train")


def test_a_row_function_may_drop_a_row() -> None:
    even = SST2.model_copy(update={"row": lambda row: row if row["label"] == 0 else None})
    assert len(build(even, [{"sentence": "a", "label": i % 2} for i in range(10)], "train")) == 5


def test_columns_of_templates_are_fields() -> None:
    asked = SST2.model_copy(update={"templates": ("{title}: {sentence}",)})
    assert field_columns(asked) == ["sentence", "title"]
