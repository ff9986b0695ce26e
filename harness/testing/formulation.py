"""What every formulation must keep to, on a tiny base of each kind that it declares and each kind of task."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from harness.bases.info import base_info
from harness.bases.load import load
from harness.core.info import BaseKind, TaskInfo, TaskKind
from harness.core.spec import RunSpec
from harness.formulation import FORMULATIONS, BoundFormulation, Formulation
from harness.runs.adapted import model_of
from harness.runs.predict import predict
from harness.task import Example, Task
from harness.testing.snapshots import save_snapshot

KINDS: tuple[BaseKind, ...] = ("encoder", "decoder", "encoder_decoder")
_ASKED: Mapping[TaskKind, dict[str, Any]] = {
    "classification": {
        "labels": ("bad", "good"),
        "verbalizers": (" negative", " positive"),
        "descriptions": ("a bad film", "a good film"),
        "metrics": ("accuracy",),
    },
    "multiple_choice": {"metrics": ("accuracy",)},
    "regression": {"metrics": ("pearson",), "value_range": (0.0, 5.0)},
    "token_classification": {"labels": ("O", "B-film", "I-film"), "metrics": ("span_f1",)},
    "generation": {"metrics": ("exact_match",), "max_new_tokens": 4},
}
_TARGETS: Mapping[TaskKind, tuple[Any, Any]] = {
    "classification": (0, 1),
    "multiple_choice": (1, 0),
    "regression": (1.0, 4.0),
    "token_classification": ((0, 1), (1, 2)),
    "generation": ("good film", "bad plot"),
}
"""Two targets for an example of each kind."""
_TEMPLATE = "Review : {first} {second} Sentiment :"
_TEXTS = ("the film is good", "a very bad plot with the cast", "dull", "one great film and a superb cast in it")


def tiny_task(kind: TaskKind, **changes: Any) -> Task:
    """A task of a kind in the words of the tiny bases, about two texts."""
    declared = {"text": ("first", "second"), "target": "answer", "templates": (_TEMPLATE,)}
    return Task(name=f"tiny_{kind}", source="none", kind=kind, **declared | _ASKED[kind] | changes)


def tiny_examples(kind: TaskKind, which: int = 0) -> list[Example]:
    """Examples of different lengths; ``which`` of two targets they have."""
    choices = ("good", "a bad film") if kind == "multiple_choice" else ()
    tagged = kind == "token_classification"
    return [
        Example(
            id=str(index),
            fields={"first": text, "second": "the plot is fine"},
            target=_TARGETS[kind][which] * (len(text.split()) // 2) if tagged else _TARGETS[kind][which],
            choices=choices,
            tokens=tuple(text.split()[: len(text.split()) // 2 * 2]) if tagged else (),
        )
        for index, text in enumerate(_TEXTS)
        if not tagged or len(text.split()) > 1
    ]


@dataclass(frozen=True)
class TinyCase:
    """A formulation of a tiny task on a tiny base."""

    formulation: Formulation
    task: Task
    folder: Path

    def trains(self) -> bool:
        """Whether this can be trained, by the formulation's own word."""
        info = base_info(str(self.folder), "none")
        asked = TaskInfo(
            kind=self.task.kind,
            formulation=self.formulation.name,
            n_labels=self.task.n_outputs,
            has_head=self.formulation.has_head,
            asks_likeness=self.task.asks_likeness,
        )
        return self.formulation.skip(info, asked) is None

    def bound(self, **sections: Any) -> BoundFormulation:
        """Ready to be asked, in a run with these sections of a spec."""
        given = {"base": {"name": str(self.folder)}, "task": {"name": self.task.name}, "method": {"name": "none"}}
        spec = RunSpec.model_validate(given | {"training": {"precision": "fp32"}} | sections)
        info = base_info(str(self.folder), "none")
        base = load(spec.base, model_of(self.formulation, info.kind, self.task))
        made = self.formulation.bound(self.task)(self.task, base, spec)
        made.prepare(base.model, tiny_examples(self.task.kind))
        return made


class FormulationContract:
    """Inherit it and name your formulation."""

    plugin: ClassVar[str]
    task_changes: ClassVar[dict[str, Any]] = {}
    """Fields that the tiny task needs to be asked this way."""

    @pytest.fixture
    def formulation(self) -> Formulation:
        """As it is registered."""
        return FORMULATIONS.make(self.plugin)

    @pytest.fixture(params=[(base, task) for base in KINDS for task in _ASKED], ids="-".join)
    def case(self, request: pytest.FixtureRequest, formulation: Formulation) -> TinyCase:
        """Each kind of base and of task that is declared."""
        kind, asked = request.param
        if kind not in formulation.model_classes or asked not in formulation.kinds:
            pytest.skip("not declared")
        return TinyCase(formulation, tiny_task(asked, **self.task_changes), _tiny_base(kind))

    def test_declares_itself(self, formulation: Formulation) -> None:
        """A docstring, a source with its address, kinds of task and of base, and auto classes that there are."""
        import transformers

        assert type(formulation).__doc__
        assert "https://" in formulation.source
        assert formulation.kinds <= set(_ASKED)
        assert set(formulation.model_classes) <= set(KINDS)
        assert all(hasattr(transformers, auto_class) for auto_class in formulation.model_classes.values())

    def test_a_row_for_each_example_in_order(self, case: TinyCase) -> None:
        """To answer and to learn from; what is read to answer does not depend on the target."""
        made, examples = case.bound(), tiny_examples(case.task.kind)
        rows = made.encode(examples)
        assert [row.example for row in rows] == examples
        assert [row.sequences for row in rows] == [
            row.sequences for row in made.encode(tiny_examples(case.task.kind, which=1))
        ]
        if case.trains():
            assert [row.example for row in made.encode_training(examples)] == examples

    def test_long_examples_are_cut_and_counted(self, case: TinyCase) -> None:
        """No sequence is longer than the spec allows."""
        made = case.bound(base={"name": str(case.folder), "max_length": 8})
        examples = [_longer(example, times=9) for example in tiny_examples(case.task.kind)]
        assert max(row.length for row in made.encode(examples)) <= 8
        assert made.n_truncated == len(examples)

    def test_losses_of_a_batch_are_those_of_its_rows(self, case: TinyCase) -> None:
        """However a step is cut into passes, its loss is the same; and it reaches the model."""
        if not case.trains():
            pytest.skip("trains nothing here")
        made = case.bound()
        rows = made.encode_training(tiny_examples(case.task.kind))
        together = _losses(made, rows)
        assert together.shape == (len(rows),)
        assert together.dtype == torch.float32
        assert together.isfinite().all()
        torch.testing.assert_close(together, torch.cat([_losses(made, [row]) for row in rows]), atol=1e-4, rtol=1e-4)
        assert made.n_counted(rows) == sum(made.n_counted([row]) for row in rows) > 0
        together.sum().backward()
        gradients = [parameter.grad for parameter in made.base.model.parameters() if parameter.grad is not None]
        assert any(bool(gradient.any()) for gradient in gradients)

    def test_answers_do_not_depend_on_the_batch(self, case: TinyCase) -> None:
        """One by one or together: the same answers in the order of the examples, of the task's own kind."""
        examples, answers = tiny_examples(case.task.kind), []
        for size in (1, len(examples)):
            made = case.bound(evaluation={"batch_size": size})
            answers.append(predict(made.base.model, made, made.encode(examples)))
        for one, other, example in zip(*answers, examples, strict=True):
            assert one.prediction == pytest.approx(other.prediction, abs=1e-4)
            assert one.scores == pytest.approx(other.scores, abs=1e-4)
            assert isinstance(one.prediction, type(example.target))


def _longer(example: Example, times: int) -> Example:
    """The example with its texts repeated."""
    return replace(
        example,
        fields={name: " ".join([text] * times) for name, text in example.fields.items()},
        tokens=example.tokens * times,
        target=example.target * times if isinstance(example.target, tuple) else example.target,
    )


@cache
def _tiny_base(kind: BaseKind) -> Path:
    """A tiny base of a kind; the encoder fills in masks."""
    return save_snapshot(kind, Path(tempfile.mkdtemp()), has_mask_head=True)


def _losses(made: BoundFormulation, rows: list[Any]) -> Tensor:
    return made.losses(made.base.model, made.collate(rows, next(made.base.model.parameters()).device))
