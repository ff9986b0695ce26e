"""Ensembles: answers combined, records made of them, and the command."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax
from typer.testing import CliRunner

from harness.cells.combined import combine
from harness.cli.app import app
from harness.core.errors import SpecError
from harness.probe import find_quantities
from harness.storage.predictions import Answers
from harness.storage.record import Record
from harness.storage.store import Store
from tests.synthetic import make_failed, make_record, write_grid, write_run


def test_labels_are_those_of_the_highest_mean_probability() -> None:
    random = np.random.default_rng(0)
    logits = 3 * random.normal(size=(4, 50, 3))
    targets = random.integers(0, 3, 50)
    members = [Answers.of(targets.tolist(), one.argmax(1).tolist(), scores=one.tolist()) for one in logits]
    expected = softmax(logits, axis=2).mean(axis=0)
    found = combine(members)
    assert found.predictions.tolist() == expected.argmax(1).tolist()
    assert found.predictions.tolist() != [Counter(votes).most_common(1)[0][0] for votes in logits.argmax(2).T.tolist()]
    assert found.scores is not None
    np.testing.assert_allclose(np.exp(found.scores), expected)


def test_choices_that_an_example_lacks_stay_missing() -> None:
    members = [Answers.of([0, 1], [1, 2], scores=[[0.0, 1.0], [0.0, 1.0, 2.0]]) for _ in range(2)]
    found = combine(members)
    assert found.predictions.tolist() == [1, 2]
    assert found.scores is not None
    assert np.isnan(found.scores).tolist() == [[False, False, True], [False, False, False]]


def test_without_scores_that_predictions_follow_from_they_vote() -> None:
    """Of equally frequent answers the earlier run's."""
    predictions = [[0, 2, 1], [1, 1, 1], [1, 0, 2]]
    others = [[[9.0, 0.0, 0.0]] * 3] * 3
    for scores in (None, others):
        members = [
            Answers.of([0, 0, 0], one, scores=scores[number] if scores else None)
            for number, one in enumerate(predictions)
        ]
        assert combine(members).predictions.tolist() == [1, 2, 1]


def test_numbers_are_averaged_and_tags_and_texts_voted_on() -> None:
    numbers = combine([Answers.of([1.0, 2.0], one) for one in ([1.0, 3.0], [2.0, 5.0])])
    assert numbers.predictions.tolist() == [1.5, 4.0]
    tags = combine(
        [Answers.of([(0, 1, 0), (1,)], one) for one in ([(0, 1, 1), (2,)], [(0, 0, 1), (1,)], [(2, 1, 0), (1,)])]
    )
    assert tags.predictions.tolist() == [(0, 1, 1), (1,)]
    texts = combine([Answers.of(["a b", "c"], one, texts=one) for one in (["a", "c"], ["a b", "d"], ["a b", "c"])])
    assert texts.predictions.tolist() == ["a b", "c"]
    assert texts.texts is not None


def invoke(*words: str, results: Path) -> str:
    return CliRunner().invoke(app, [*words, "--results", str(results)], catch_exceptions=False).output


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_grid(tmp_path, {"lora": 1.0, "prefix": 0.9}, n_seeds=5)
    write_run(tmp_path, make_failed("lora", 9, "failed", "no reason"))
    return tmp_path


def ensembles(results: Path) -> list[Record]:
    return sorted(
        (run for run in Store(results).records() if run.members), key=lambda run: (run.spec.method.name, run.spec.seed)
    )


def answers(results: Path, run: str) -> dict[str, Any]:
    table = pq.read_table(results / "runs" / run / "predictions.parquet").to_pylist()
    return {row["example_id"]: row for row in table if row["split"] == "test"}


def test_over_seeds_a_record_for_each_group_of_seeds(results: Path) -> None:
    text = invoke("ensemble", "--over", "seeds", "--size", "2", results=results)
    assert "4 ensembles of 8 runs; 2 runs are in none" in text
    found = ensembles(results)
    assert [(run.spec.method.name, run.spec.seed) for run in found] == [
        (f"ensemble({name}*2)", seed) for name in ("lora", "prefix") for seed in (0, 2)
    ]
    runs = {run.run_id: run for run in Store(results).records()}
    for made in found:
        members = [runs[name] for name in made.members]
        assert [run.spec.seed for run in members] == [made.spec.seed, made.spec.seed + 1]
        for name in ("train_seconds", "stored_bytes", "trainable_params"):
            (cost,) = find_quantities([name])
            assert cost.of(made) == pytest.approx(sum(cost.of(run) or 0 for run in members))
        ours, theirs = answers(results, made.run_id), [answers(results, name) for name in made.members]
        right = [ours[key]["prediction"] == ours[key]["target"] for key in ours]
        assert made.metrics["test/accuracy"] == pytest.approx(np.mean(right))
        unanimous = [key for key in ours if len({one[key]["prediction"] for one in theirs}) == 1]
        assert unanimous
        assert all(ours[key]["prediction"] == theirs[0][key]["prediction"] for key in unanimous)


def test_they_are_cells_of_tables_with_their_summed_cost(results: Path) -> None:
    invoke("ensemble", "--over", "methods", results=results)
    table = invoke("table", "--costs", "trainable_params", results=results)
    assert "ensemble(lora+prefix)" in table
    assert "(5 of 6)" in next(line for line in table.splitlines() if "ensemble" in line)
    assert "380k" in table


def test_making_them_again_makes_nothing_new(results: Path) -> None:
    first = invoke("ensemble", "--over", "methods", results=results)
    before = {run.run_id: run.finished_at for run in Store(results).records()}
    assert invoke("ensemble", "--over", "methods", results=results) == first
    assert {run.run_id: run.finished_at for run in Store(results).records()} == before


def test_what_cannot_be_combined_is_told(results: Path) -> None:
    with pytest.raises(SpecError, match="no cell has 6 finished seeds: nothing to combine"):
        invoke("ensemble", "--over", "seeds", "--size", "6", results=results)
    write_run(results, make_record("lora", 0, settings={"rank": 16}))
    with pytest.raises(SpecError, match=r"runs of lora differ in method\.rank: keep one kind with --where"):
        invoke("ensemble", "--over", "methods", results=results)
    for seed in (0, 1):
        write_run(results, make_record("full", seed))
    with pytest.raises(SpecError, match=r"ensemble\(full\*2\), seed 0: a member has no predictions of validation"):
        invoke("ensemble", "--over", "seeds", "--size", "2", "--where", "method=full", results=results)


def test_members_with_other_test_examples_are_told(results: Path) -> None:
    for path in (results / "runs").glob("*/predictions.parquet"):
        record = json.loads((path.parent / "record.json").read_text())
        if record["spec"]["seed"] == 1:
            pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(SpecError, match="its members answered other validation examples"):
        invoke("ensemble", "--over", "seeds", "--size", "2", results=results)
