"""What every task must keep to, on the examples that its own sources give."""

from string import Formatter
from typing import Any, ClassVar

import pytest

from harness import data
from harness.core.errors import SourceError
from harness.core.spec import TaskSpec
from harness.data.protocol import text_hash
from harness.data.tasks import find_task
from harness.task import Example, Splits, Task


def everything(splits: Splits) -> list[Example]:
    """All examples of a task."""
    return [*splits.train, *splits.validation, *splits.test]


def is_answer(task: Task, example: Example) -> bool:
    """Whether an example's target is one that its kind of task can have."""
    if task.kind == "classification":
        return example.target in range(len(task.labels))
    if task.kind == "multiple_choice":
        return len(example.choices) >= 2 and example.target in range(len(example.choices))
    if task.kind == "regression":
        low, high = task.value_range
        return isinstance(example.target, float) and low <= example.target <= high
    if task.kind == "token_classification":
        assert isinstance(example.target, tuple)
        return len(example.target) == len(example.tokens) and set(example.target) <= set(range(len(task.labels)))
    return isinstance(example.target, str) and bool(example.target)


class TaskContract:
    """Inherit it and name your task; override ``splits`` where its examples come from elsewhere than its sources."""

    plugin: ClassVar[str]

    @pytest.fixture
    def task(self) -> Task:
        """As it is registered."""
        return find_task(self.plugin)

    @pytest.fixture
    def splits(self, task: Task) -> Splits:
        """Its examples."""
        try:
            return data.load(task, TaskSpec(name=self.plugin), seed=0)[0]
        except SourceError as error:
            pytest.skip(str(error))

    def test_declaration(self, task: Task) -> None:
        """Labels, their words and phrases, and prompts go together."""
        assert "http" in task.source
        assert task.metrics
        assert 1 <= len(task.text) <= 2
        assert len(set(task.labels)) == len(task.labels)
        if task.kind == "classification":
            assert len(task.labels) >= 2
            assert len(set(task.verbalizers)) == len(set(task.descriptions)) == len(task.labels)
        if task.likeness:
            assert (len(task.likeness), len(task.text)) == (len(task.labels), 2)
            assert min(task.likeness) == 0 <= max(task.likeness) == 1
        assert all(text.startswith(" ") and text == " " + text.strip() for text in task.verbalizers)
        assert bool(task.templates) == (task.kind != "regression")
        assert all(template == template.strip() for template in task.templates)

    def test_splits_are_disjoint_and_ids_unique(self, splits: Splits) -> None:
        """No test example is trained on."""
        hashes = [{text_hash(example) for example in part} for part in (splits.train, splits.validation, splits.test)]
        assert all(hashes)
        assert not hashes[0] & hashes[1] | hashes[0] & hashes[2] | hashes[1] & hashes[2]
        ids = [example.id for example in everything(splits)]
        assert len(set(ids)) == len(ids)

    def test_targets_are_among_the_answers(self, task: Task, splits: Splits) -> None:
        """Every example can be answered right."""
        assert [example for example in everything(splits) if not is_answer(task, example)] == []

    def test_texts_are_stripped_and_templates_use_every_text(self, task: Task, splits: Splits) -> None:
        """And every column that an encoder reads says something."""
        for example in everything(splits):
            assert all(text and text == text.strip() for text in (*example.fields.values(), *example.choices))
        for template in task.templates:
            assert {place for _, place, _, _ in Formatter().parse(template) if place} <= set(splits.test[0].fields)
        changed = {field for field in splits.test[0].fields if len({e.fields[field] for e in splits.test}) > 1}
        assert set(task.text) <= changed


def normalized_targets(task: Task, examples: list[Example]) -> list[Any]:
    """Targets as they are judged."""
    return [task.answer(str(e.target)) if task.kind == "generation" else e.target for e in examples]
