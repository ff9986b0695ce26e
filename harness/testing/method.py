"""What every method must keep to, on every kind of base and every precision."""

import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import torch
from torch import Tensor, nn

from harness.bases.heads import is_of_head
from harness.core.errors import SpecError
from harness.core.spec import Quantization
from harness.method import METHODS, BaseKind, Family, Method
from harness.testing import tiny

STEPS = 6
KINDS: tuple[BaseKind, ...] = ("encoder", "decoder", "encoder_decoder")
QUANTIZATIONS: tuple[Quantization, ...] = ("none", "8bit", "4bit")
_STACKS: dict[BaseKind, str] = {
    "encoder": "bert.encoder.layer",
    "decoder": "model.layers",
    "encoder_decoder": "decoder.block",
}


@dataclass(frozen=True)
class TinyCell:
    """A method on a tiny random base of one kind and precision, and what is seen of it once."""

    method: Method
    kind: BaseKind
    quantization: Quantization

    @property
    def skipped(self) -> str | None:
        """Why the method can't be used here, by its own word."""
        return self.method.skip(tiny.base_info(self.kind, self.quantization), tiny.task_info(self.kind))

    @property
    def tolerance(self) -> float:
        """8-bit layers round activations too: a last digit that differs can become one step."""
        return 2e-3 if self.quantization == "8bit" else 1e-5

    @property
    def _unquantized(self) -> tuple[str, ...]:
        return tuple(f"{_STACKS[self.kind]}.{i}" for i in self.method.unquantized_blocks(tiny.BLOCKS))

    def applied(self, seed: int = 0) -> nn.Module:
        """A fresh model that the method was applied to."""
        model = tiny.load(self.kind, self.quantization, self._unquantized)
        torch.manual_seed(seed)
        return self.method.apply(model, tiny.context(self.kind, self.quantization, STEPS))

    def logits(self, model: nn.Module) -> Tensor:
        """What the model answers to the tiny batch, without the positions of virtual tokens."""
        with torch.no_grad():
            return self.of_input(model.eval()(**tiny.batch(self.kind)).logits)

    def of_input(self, logits: Tensor) -> Tensor:
        """Those of a language model that belong to tokens of the input."""
        return logits if self.kind == "encoder" else logits[:, -_n_tokens(self.kind) :]

    def loss(self, logits: Tensor) -> Tensor:
        """Of the answers to the tiny batch."""
        return tiny.loss(self.kind, self.of_input(logits), tiny.batch(self.kind))

    def base_logits(self) -> Tensor:
        """What the base itself answers."""
        return _base_logits(self.kind, self.quantization, self._unquantized)

    def train(self, model: nn.Module, steps: int = STEPS) -> "Training":
        """A few optimizer steps on one batch."""
        method, inputs, training = self.method, tiny.batch(self.kind), Training([], set())
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        optimizer = method.optimizer(method.groups(model, 1e-2), _adamw)
        torch.manual_seed(0)  # of dropout
        for step in range(1, steps + 1):
            loss = self.loss(model.train()(**inputs).logits)
            extra = method.extra_loss(model, None)
            (loss if extra is None else loss + extra).backward()
            training.reached.update(name for name, p in named.items() if p.grad is not None and p.grad.any())
            optimizer.step()
            method.after_step(model, step)
            optimizer.zero_grad()
            training.losses.append(loss.item())
        return training

    @cached_property
    def trial(self) -> "Trial":
        """The method applied once and trained for a few steps."""
        model = self.applied()
        first = self.logits(model)
        before = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}
        trainable = frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)
        training = self.train(model) if self.method.trains else Training([], set())
        return Trial(model, before, trainable, first, training)


@dataclass
class Training:
    """The losses of the steps, and the names of what a gradient reached."""

    losses: list[float]
    reached: set[str]


@dataclass
class Trial:
    """A trained model; tensors, names of the trained ones and logits from before the first step."""

    model: nn.Module
    before: dict[str, Tensor]
    trainable: frozenset[str]
    first: Tensor
    training: Training


def _adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=1e-2, weight_decay=0.0)


def _n_tokens(kind: BaseKind) -> int:
    return tiny.batch(kind)["decoder_input_ids" if kind == "encoder_decoder" else "input_ids"].shape[1]


@cache
def _base_logits(kind: BaseKind, quantization: Quantization, unquantized: tuple[str, ...]) -> Tensor:
    with torch.no_grad():
        answer: Tensor = tiny.load(kind, quantization, unquantized)(**tiny.batch(kind)).logits
    return answer


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer; packed quantized weights are parameters."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


class MethodContract:
    """Inherit it and name your method; a cell that the method skips is skipped here with the method's reason."""

    plugin: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}
    """Fields of the method where its defaults are too large for the tiny bases."""

    @pytest.fixture
    def method(self) -> Method:
        """With its published defaults."""
        return METHODS.make(self.plugin)

    @pytest.fixture(
        scope="class", params=[(kind, quantization) for kind in KINDS for quantization in QUANTIZATIONS], ids="-".join
    )
    @classmethod
    def cell(cls, request: pytest.FixtureRequest) -> TinyCell:
        """The method on each kind of base in each precision."""
        cell = TinyCell(METHODS.make(cls.plugin, cls.settings), *request.param)
        if reason := cell.skipped:
            pytest.skip(reason)
        return cell

    @pytest.fixture
    def trained(self, cell: TinyCell) -> TinyCell:
        """A cell in which something is trained."""
        if not cell.method.trains:
            pytest.skip(f"{self.plugin} trains nothing")
        return cell

    @pytest.fixture
    def exact(self, trained: TinyCell) -> TinyCell:
        """A trained cell in full precision."""
        if trained.quantization != "none":
            pytest.skip("full precision only")
        return trained

    def test_declares_itself(self) -> None:
        """A docstring, a paper with its address, a family, a published rate, and a sentence for each field."""
        cls = METHODS.find(self.plugin)
        assert cls.__doc__
        assert "https://" in cls.source
        assert cls.family in get_args(Family)
        assert cls.version >= 1
        assert not cls.trains or 1e-6 < cls.learning_rate < 1
        assert all(field.description for field in cls.model_fields.values())

    def test_defaults_lie_inside_the_search_space(self, method: Method) -> None:
        """And search can vary something of every method that trains and has hyperparameters."""
        space = method.space()
        assert space or not (method.trains and type(method).model_fields)
        assert {field for field, values in space.items() if getattr(method, field) not in values} == set()

    def test_importing_it_imports_no_torch(self) -> None:
        """So that listing and planning take no seconds."""
        code = (
            f"import sys; from harness.method import METHODS; METHODS.make({self.plugin!r}).space(); "
            "print(*{'torch', 'transformers', 'peft'} & sys.modules.keys())"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout.split() == []

    def test_trains_something_exactly_if_it_says_so(self, cell: TinyCell) -> None:
        """The task's head is part of it."""
        trainable = cell.trial.trainable
        assert bool(trainable) == cell.method.trains
        for head in tiny.HEADS[cell.kind]:
            assert any(head in name for name in trainable) == cell.method.trains

    def test_starts_as_the_base_where_it_says_so(self, cell: TinyCell) -> None:
        """What packed weights were misread for would show here."""
        if not cell.method.starts_as_base:
            pytest.skip(f"{self.plugin} starts elsewhere by design")
        torch.testing.assert_close(
            cell.trial.first, cell.base_logits(), atol=10 * cell.tolerance, rtol=10 * cell.tolerance
        )

    def test_training_lowers_the_loss_and_leaves_frozen_weights_alone(self, trained: TinyCell) -> None:
        """What packed weights hold counts as frozen."""
        trial = trained.trial
        assert trained.loss(trained.logits(trial.model)) < trained.loss(trial.first)
        changed = {n for n, tensor in _tensors(trial.model).items() if not torch.equal(tensor, trial.before[n])}
        assert changed <= trial.trainable

    def test_a_gradient_reaches_whatever_is_trained(self, trained: TinyCell) -> None:
        """In a few steps: the first moves only one of two factors where the other starts at zero."""
        assert trained.trial.training.reached == trained.trial.trainable

    def test_what_was_trained_is_saved_and_loaded_whole(self, trained: TinyCell, tmp_path: Path) -> None:
        """Into a model that began otherwise."""
        model = trained.trial.model
        trained.method.save(model, tmp_path)
        restored = trained.applied(seed=1)
        trained.method.load(restored, tmp_path)
        torch.testing.assert_close(
            trained.logits(restored), trained.logits(model), atol=trained.tolerance, rtol=trained.tolerance
        )

    def test_same_seed_gives_same_weights_and_same_losses(self, exact: TinyCell) -> None:
        """A second time."""
        trial, again = exact.trial, exact.applied()
        for name, parameter in again.named_parameters():
            assert torch.equal(parameter, trial.before[name]), name
        assert exact.train(again, steps=2).losses == trial.training.losses[:2]

    def test_what_is_merged_answers_alike(self, exact: TinyCell) -> None:
        """And is a model of the base's own architecture."""
        model = deepcopy(exact.trial.model)
        expected = exact.logits(model)
        try:
            merged = exact.method.merge(model)
        except SpecError as error:
            pytest.skip(str(error))
        torch.testing.assert_close(exact.logits(merged), expected, atol=5e-4, rtol=5e-4)
        assert {name for name, _ in merged.named_parameters()} == {
            name for name, _ in tiny.load(exact.kind).named_parameters()
        }

    def test_the_formula_counts_what_is_trained(self, exact: TinyCell) -> None:
        """Without head and pooler; where training prunes, only the average over more steps is what was asked for."""
        expected, trial = exact.method.expected_params(tiny.base_info(exact.kind)), exact.trial
        if expected is None or exact.method.trainable_final(trial.model) is not None:
            pytest.skip("no formula of what is trained at first")
        heads = (*tiny.HEADS[exact.kind], "bert.pooler")
        own = [name for name in trial.trainable if not is_of_head(name, heads)]
        assert expected == sum(trial.before[name].numel() for name in own)

    def test_an_answer_depends_on_its_own_input_alone(self, exact: TinyCell) -> None:
        """Not on what else is in the batch."""
        model, inputs = exact.trial.model, tiny.batch(exact.kind)
        together = exact.logits(model)[:1]
        with torch.no_grad():
            alone = model.eval()(**{name: values[:1] for name, values in inputs.items()}).logits
        torch.testing.assert_close(exact.of_input(alone), together, atol=1e-4, rtol=1e-4)

    def test_starts_from_the_same_head_as_every_method(self, exact: TinyCell) -> None:
        """Else a comparison of methods would be one of initial heads as well."""
        if not tiny.HEADS[exact.kind]:
            pytest.skip("no head on this kind of base")
        plain, trial = tiny.load(exact.kind), exact.trial
        for head in tiny.HEADS[exact.kind]:
            for suffix, value in plain.get_submodule(head).named_parameters():
                copies = [trial.before[n] for n in trial.trainable if head in n and n.endswith(suffix)]
                assert any(torch.equal(value, copy) for copy in copies)
