"""Robustness of models whose answers are known: constants, and rules that read words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import SpecError
from harness.probe import Subject
from harness.probes._pairs import read_pairs
from harness.probes._perturbations import KINDS, perturbed
from harness.storage.predictions import Answers
from harness.task import TASKS, Example
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured

SST2 = TASKS.find("sst2")
TEXT = "The superb film, with its very long plot, is awful and dull; nobody laughed."


def of_rule(subject: Subject, score: Callable[[str], float]) -> Subject:
    """The subject with answers of a rule: the label is 1 where the score of the text is above 0."""

    def answer(examples: Sequence[Example]) -> Answers:
        scores = [score(one.fields["sentence"]) for one in examples]
        targets = [one.target for one in examples]
        return Answers.of(
            targets, [int(s > 0) for s in scores], [one.id for one in examples], [[-s, s] for s in scores]
        )

    return replace(subject, answer=answer)


@pytest.fixture
def subject(make_spec: MakeSpec) -> Subject:
    return examined(make_spec("last_layers"))


def finds_good(text: str) -> float:
    """Whether a word says so, letter by letter."""
    return 1.0 if any(word in text.split() for word in ("good", "great", "fine", "superb")) else -1.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_always_changed_alike_and_more_with_severity(kind: str) -> None:
    changed = [perturbed(TEXT, kind, severity) for severity in (1, 2, 3)]
    assert changed == [perturbed(TEXT, kind, severity) for severity in (1, 2, 3)]
    distances = [sum(a != b for a, b in zip(TEXT.split(), one.split(), strict=False)) for one in changed]
    lengths = [len(one.split()) for one in changed]
    assert (distances, lengths) == (sorted(distances), sorted(lengths))
    assert changed[2] != TEXT


def test_typos_keep_the_letters_and_the_ends_of_words() -> None:
    for before, after in zip(TEXT.split(), perturbed(TEXT, "typos", 3).split(), strict=True):
        assert sorted(before) == sorted(after)
        assert (before[0], before[-1]) == (after[0], after[-1])
    assert perturbed("a film is ok", "typos", 3).split()[0] == "a"


def test_a_constant_model_loses_nothing(subject: Subject) -> None:
    found = measured(of_rule(subject, lambda text: 1.0), "robustness")
    assert {name: drop.value for name, drop in found.items()} == {f"{kind}_drop": 0 for kind in KINDS}
    assert measured(of_rule(subject, lambda text: 1.0), "attack")["attack_success"].value == 0


def test_a_rule_that_reads_words_loses_what_its_words_lose(subject: Subject) -> None:
    examples = subject.splits["test"]
    found = measured(of_rule(subject, finds_good), "robustness", severity=3)
    right = [int(finds_good(one.fields["sentence"]) > 0) == one.target for one in examples]
    assert all(right)
    for kind in KINDS:
        after = [int(finds_good(perturbed(one.fields["sentence"], kind, 3)) > 0) == one.target for one in examples]
        assert found[f"{kind}_drop"].value == pytest.approx(1 - np.mean(after))
    assert found["length_drop"].value == 0 < found["typos_drop"].value


def test_the_attack_finds_the_words_that_a_rule_reads(subject: Subject) -> None:
    """The one word of four letters or more that makes it good; 'awful' and the like it does not read."""
    found = measured(of_rule(subject, finds_good), "attack", n_examples=48)
    examples = {one.id: one for one in subject.splits["test"]}
    for name, turned in found["attack_success"].examples.items():
        words = set(examples[name].fields["sentence"].split())
        assert turned == bool(words & {"great", "fine", "superb"})  # inner letters of 'good' are alike
    assert found["attack_questions"].value <= 50


def test_a_budget_is_kept(subject: Subject) -> None:
    asked = 0
    rule = of_rule(subject, lambda text: 1.0)

    def counting(examples: Sequence[Example]) -> Answers:
        nonlocal asked
        asked += len(examples)
        return rule.answer(examples)

    found = measured(replace(rule, answer=counting), "attack", n_examples=2, budget=3)
    assert asked - 2 == sum(found["attack_questions"].examples.values())
    assert max(found["attack_questions"].examples.values()) <= 3


def test_a_checklist_says_what_a_rule_fails(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        """{"test": "invariance", "text": "a good film", "changed": "a film that is good"}
{"test": "invariance", "text": "a good film", "changed": "a god film"}
{"test": "directional", "text": "a film", "changed": "a good film", "label": "positive", "direction": "up"}
{"test": "directional", "text": "a film", "changed": "a good film", "label": "positive", "direction": "down"}
{"test": "contrast", "text": "a good film", "changed": "a bad film", "target": "positive", "changed_target": "negative"}
{"test": "contrast", "text": "good", "changed": "not good", "target": "positive", "changed_target": "negative"}
"""
    )
    found = measured(of_rule(subject, finds_good), "checklist", file=str(tmp_path / "pairs.jsonl"))
    assert [found[f"{kind}_failures"].value for kind in ("invariance", "directional", "contrast")] == [0.5, 0.5, 0.5]
    assert found["contrast_failures"].examples == {"line 5/text": 0.0, "line 6/text": 1.0}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1"),
        ('{"test": "invarience", "text": "a", "changed": "b"}', "did you mean 'invariance'"),
        ('{"test": "contrast", "text": "a", "changed": "b"}', "it has no 'target'"),
        ('{"test": "invariance", "text": "a", "changed": "b", "label": "x"}', "label is not for invariance"),
        (
            '{"test": "directional", "text": "a", "changed": "b", "label": "positiv", "direction": "up"}',
            "did you mean 'positive'",
        ),
        (
            '{"test": "directional", "text": "a", "changed": "b", "label": "positive", "direction": "left"}',
            "direction must be up or down",
        ),
        ("", "has no pair"),
    ],
)
def test_a_wrong_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(line + "\n")
    with pytest.raises(SpecError, match=message):
        read_pairs(str(tmp_path / "pairs.jsonl"), SST2)


def test_what_a_file_holds_is_part_of_the_run(make_spec: MakeSpec, tmp_path: Path) -> None:
    from harness.runs.identity import identify
    from harness.runs.resolve import resolve

    path, names = tmp_path / "pairs.jsonl", []
    spec: Any = make_spec("lora", probes=[{"name": "checklist", "file": str(path)}])
    with pytest.raises(SpecError, match="can't read"):
        identify(resolve(spec))
    for text in ("one", "two", "one"):
        path.write_text(text)
        names.append(identify(resolve(spec)))
    assert names[0] == names[2] != names[1]
