"""Groups against hand-counted rates and fairlearn, stereotypes against transformers' own losses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import SpecError
from harness.probe import PROBES
from harness.probes import _stereotypes, stereotypes
from harness.probes._groups import by_pattern, from_file
from harness.probes.groups import compare
from harness.storage.predictions import Answers
from harness.task import TASKS, Example
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured

SST2 = TASKS.find("sst2")


def test_rates_by_hand() -> None:
    """Group a: accuracy 3/4, true positives 1/2, false positives 0; group b: 1/4, 1/2 and 1."""
    targets = [1, 1, 0, 0] * 2
    predictions = [1, 0, 0, 0, 1, 0, 1, 1]
    found = compare(Answers.of(targets, predictions), ["a"] * 4 + ["b"] * 4, 2, is_binary=True)
    assert found["group_accuracy_gap"].value == pytest.approx(0.5)
    assert found["worst_group_accuracy"].value == pytest.approx(0.25)
    assert found["equalized_odds_difference"].value == pytest.approx(1.0)


def test_they_are_fairlearns() -> None:
    from fairlearn.metrics import MetricFrame, equalized_odds_difference
    from sklearn.metrics import accuracy_score

    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(2, size=(2, 200))
    groups = rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])
    found = compare(Answers.of(targets.tolist(), predictions.tolist()), groups.tolist(), 2, is_binary=True)
    frame = MetricFrame(metrics=accuracy_score, y_true=targets, y_pred=predictions, sensitive_features=groups)
    assert found["group_accuracy_gap"].value == pytest.approx(frame.difference())
    assert found["worst_group_accuracy"].value == pytest.approx(frame.group_min())
    expected = equalized_odds_difference(targets, predictions, sensitive_features=groups)
    assert found["equalized_odds_difference"].value == pytest.approx(expected)


def test_equal_answers_have_no_gap_beyond_chance() -> None:
    """Groups drawn apart from targets and answers: the interval of the worst group holds the accuracy of all."""
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=600)
    predictions = np.where(rng.random(600) < 0.8, targets, (targets + 1) % 3)
    groups = rng.choice(["a", "b"], 600).tolist()
    found = compare(Answers.of(targets.tolist(), predictions.tolist()), groups, 10, is_binary=False)
    low, high = found["worst_group_accuracy"].interval or (1, 0)
    assert low < 0.8 < high
    assert "equalized_odds_difference" not in found


def test_small_groups_are_left_out_and_one_is_not_enough() -> None:
    answers = Answers.of([0, 1, 0, 1, 1], [0, 1, 0, 1, 0])
    assert compare(answers, ["a", "a", "b", "b", "c"], 2, is_binary=True)["worst_group_accuracy"].value == 1
    with pytest.raises(SpecError, match="two of 2 examples"):
        compare(answers, ["a", "a", None, None, "c"], 2, is_binary=True)


def test_groups_by_pattern_and_by_column(tmp_path: Path) -> None:
    texts = ["She came", "he saw her", "it is theirs", "HE"]
    examples = [Example(str(n), {"sentence": text}, 0) for n, text in enumerate(texts)]
    patterns = PROBES.make("groups").patterns  # type: ignore[attr-defined]
    assert by_pattern(patterns, SST2, examples) == ["she", None, None, "he"]
    path = tmp_path / "groups.csv"
    path.write_text("sentence,country\nShe came,UA\nit is theirs,PL\nHE,PL\nHE,UA\n")
    assert from_file(str(path), "country", SST2, examples) == ["UA", None, "PL", None]
    with pytest.raises(SpecError, match="no column group"):
        from_file(str(path), "group", SST2, examples)
    with pytest.raises(SpecError, match="the texts of no test example"):
        from_file(str(path), "country", SST2, examples[1:2])
    with pytest.raises(SpecError, match=r"patterns.a is no regular expression"):
        PROBES.make("groups", {"patterns": {"a": "("}})


def test_stereotypes_are_told_by_transformers_losses(make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the film is good", "the film is a very bad one", "plot with cast and film is the"]
    rows = [dict(zip(("stereotype", "anti-stereotype", "unrelated"), texts, strict=True), number=n) for n in range(3)]
    rows[1]["stereotype"], rows[1]["anti-stereotype"] = rows[1]["anti-stereotype"], rows[1]["stereotype"]
    monkeypatch.setattr(_stereotypes, "read", lambda source: rows)
    subject = examined(make_spec("zero_shot", "decoder"))
    found = measured(subject, "stereotypes")
    losses = []
    for text in texts:
        ids = torch.tensor([subject.tokenizer(text)["input_ids"]])
        losses.append(subject.model(input_ids=ids, labels=ids).loss.item())
    first = float(losses[0] < losses[1])
    expected = [first, 1 - first, first]
    assert [found["stereotype_preference"].examples[str(n)] for n in range(3)] == expected
    assert found["language_model_score"].value == pytest.approx(np.mean([one < losses[2] for one in losses[:2]]))
    assert found["stereotype_shift"].value == 0


def test_the_published_sentences_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As StereoSet's paper counts them (the development set has 2,106 within sentences), and the package its pairs."""
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    assert [len(_stereotypes.read(name)) for name in stereotypes.SETS] == [2106, 1018, 761]
    assert set(stereotypes.SETS) == set(_stereotypes.SETS)
    rows = [row for name in stereotypes.SETS for row in _stereotypes.read(name)]
    assert all(row["stereotype"] != row["anti-stereotype"] for row in rows)
    assert not any(mark in row["stereotype"] for row in rows for mark in ("[", "]", "MASK"))
    poor = _stereotypes.read("crows_pairs")[
        1
    ]  # number 1 of the published file too, whose sent_more begins with The poor
    assert poor["stereotype"].startswith("The poor")
    assert poor["anti-stereotype"].startswith("The rich")
    driver = _stereotypes.read("wino_bias")[0]
    assert driver["stereotype"].endswith("because she could not find a bus there.")
    assert driver["anti-stereotype"].endswith("because he could not find a bus there.")


def test_a_mirror_has_all_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the hub's columns; the file is part of a run's identity, as it isn't without the mirror."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / _stereotypes.CROWS
    path.parent.mkdir(parents=True)
    pq.write_table(
        pa.table({"sent_more": ["a cat", "a dog"], "sent_less": ["a fox", "a cow"], "bias_type": [0, 1]}), path
    )
    probe: Any = PROBES.make("stereotypes", {"sentences": "crows_pairs"})
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "other"))
    assert probe.files() == []
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    assert probe.files() == [str(path)]
    assert [(row["stereotype"], row["anti-stereotype"]) for row in _stereotypes.read("crows_pairs")] == [
        ("a cat", "a fox"),
        ("a dog", "a cow"),
    ]


def test_pairs_of_a_file_and_whole_sentences(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's pairs by means over tokens, those of a published set of pairs by sums: a short sentence wins these."""
    pairs = [
        ("the film is good", "plot with cast"),
        ("the film", "the film is a very bad one"),
        ("a good plot", "a good plot"),
    ]
    path = tmp_path / "pairs.csv"
    path.write_text("stereotype,anti-stereotype\n" + "".join(f"{one},{other}\n" for one, other in pairs))
    subject = examined(make_spec("zero_shot", "decoder"))

    def losses(reduction: str) -> Any:
        found = []
        for text in (text for pair in pairs for text in pair):
            ids = torch.tensor([subject.tokenizer(text)["input_ids"]])
            logits = subject.model(input_ids=ids).logits[0, :-1]
            found.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction=reduction).item())
        return np.array(found).reshape(-1, 2)

    found = measured(subject, "stereotypes", sentences=str(path))
    assert "language_model_score" not in found
    rows = _stereotypes.read(str(path))
    monkeypatch.setattr(_stereotypes, "read", lambda source: rows)
    summed = measured(subject, "stereotypes", sentences="crows_pairs")
    for values, reduction in ((found, "mean"), (summed, "sum")):
        expected = losses(reduction)
        by_pair = [float(expected[at, 0] < expected[at, 1]) for at in (0, 1)] + [0.5]
        assert [values["stereotype_preference"].examples[str(n)] for n in range(3)] == by_pair
    assert summed["stereotype_preference"].examples["1"] == 1
    monkeypatch.setattr(_stereotypes, "read", lambda source: [*rows, {**rows[0], "stereotype": "film"}])
    with pytest.raises(SpecError, match="'film' is one token"):
        measured(subject, "stereotypes", sentences="crows_pairs")


def test_wrong_sentences_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"crows_pair'.*did you mean 'crows_pairs'"):
        PROBES.make("stereotypes", {"sentences": "crows_pair"})
    path = tmp_path / "pairs.csv"
    path.write_text("stereotype,other\na,b\n")
    with pytest.raises(SpecError, match="no column anti-stereotype"):
        _stereotypes.read(str(path))
    path.write_text("stereotype,anti-stereotype\na,b\n ,c\n")
    with pytest.raises(SpecError, match="line 3 has no text in stereotype"):
        _stereotypes.read(str(path))


def test_groups_of_a_run(make_spec: MakeSpec) -> None:
    subject = examined(make_spec("last_layers"))
    answers: Any = {"test": subject.answer(subject.splits["test"])}
    patterns = {"with": r"\bwith\b", "without": r"^((?!\bwith\b).)*$"}
    found = measured(replace(subject, answers=answers), "groups", patterns=patterns, least=2)
    right = answers["test"].predictions == answers["test"].targets
    is_in = np.array(["with" in one.fields["sentence"].split() for one in subject.splits["test"]])
    accuracies = right[is_in].mean(), right[~is_in].mean()
    assert found["worst_group_accuracy"].value == pytest.approx(min(accuracies))
    assert found["group_accuracy_gap"].value == pytest.approx(max(accuracies) - min(accuracies))
