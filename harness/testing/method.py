"""What every method must keep to, on every kind of base and every precision."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, get_args

import pytest
import torch
from torch import Tensor, nn

from harness.core.spec import Quantization
from harness.method import METHODS, BaseKind, Family, Method
from harness.testing import tiny

STEPS = 12
KINDS: tuple[BaseKind, ...] = ("encoder", "decoder", "encoder_decoder")
QUANTIZATIONS: tuple[Quantization, ...] = ("none", "8bit", "4bit")


@dataclass(frozen=True)
class TinyCell:
    """A method on a tiny random base of one kind and precision."""

    method: Method
    kind: BaseKind
    quantization: Quantization

    @property
    def skipped(self) -> str | None:
        """Why the method can't be used here, by its own word."""
        return self.method.skip(tiny.base_info(self.kind, self.quantization), tiny.task_info(self.kind))

    def applied(self, seed: int = 0) -> nn.Module:
        """A fresh model that the method was applied to."""
        stack = {"encoder": "bert.encoder.layer", "decoder": "model.layers", "encoder_decoder": "decoder.block"}
        unquantized = [f"{stack[self.kind]}.{i}" for i in self.method.unquantized_blocks(tiny.BLOCKS)]
        model = tiny.load(self.kind, self.quantization, unquantized)
        torch.manual_seed(seed)
        return self.method.apply(model, tiny.context(self.kind, self.quantization, STEPS))

    def logits(self, model: nn.Module) -> Tensor:
        """What the model answers to the tiny batch."""
        with torch.no_grad():
            return model.eval()(**tiny.batch(self.kind)).logits

    def train(self, model: nn.Module, steps: int = STEPS) -> list[float]:
        """Task losses of a few optimizer steps on one batch."""
        method, inputs, losses = self.method, tiny.batch(self.kind), []
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.0)
        for step in range(1, steps + 1):
            loss = tiny.loss(self.kind, model(**inputs).logits, inputs)
            extra = method.extra_loss(model, None)
            (loss if extra is None else loss + extra).backward()
            optimizer.step()
            method.after_step(model, step)
            optimizer.zero_grad()
            losses.append(loss.item())
        return losses


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer; packed quantized weights are parameters."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


class MethodContract:
    """Inherit it and name your method; a cell that the method skips is skipped here with the method's reason."""

    plugin: ClassVar[str]

    @pytest.fixture
    def method(self) -> Method:
        """With its published defaults."""
        return METHODS.make(self.plugin)

    @pytest.fixture(params=[(kind, quantization) for kind in KINDS for quantization in QUANTIZATIONS], ids="-".join)
    def cell(self, request: pytest.FixtureRequest, method: Method) -> TinyCell:
        """The method on each kind of base in each precision."""
        cell = TinyCell(method, *request.param)
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
        model = cell.applied()
        trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert bool(trainable) == cell.method.trains
        for head in tiny.HEADS[cell.kind]:
            assert any(head in name for name in trainable) == cell.method.trains

    def test_training_lowers_the_loss_and_leaves_frozen_weights_alone(self, trained: TinyCell, tmp_path: Path) -> None:
        """And what was trained is saved and loaded whole."""
        model = trained.applied()
        before = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}
        losses = trained.train(model)
        assert losses[-1] < losses[0]
        changed = {name for name, tensor in _tensors(model).items() if not torch.equal(tensor, before[name])}
        assert changed <= {name for name, parameter in model.named_parameters() if parameter.requires_grad}

        trained.method.save(model, tmp_path)
        restored = trained.applied(seed=1)
        trained.method.load(restored, tmp_path)
        # 8-bit layers round activations too: a last digit that differs can become one step
        tolerance = 2e-3 if trained.quantization == "8bit" else 1e-5
        torch.testing.assert_close(trained.logits(restored), trained.logits(model), atol=tolerance, rtol=tolerance)

    def test_same_seed_gives_same_weights_and_every_one_is_reached(self, exact: TinyCell) -> None:
        """Two steps: the first moves only one of two factors where the other starts at zero."""
        first, second, untrained = exact.applied(), exact.applied(), dict(exact.applied().named_parameters())
        for model in (first, second):
            exact.train(model, steps=2)
        for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
            assert torch.equal(a, b), name
            assert a.requires_grad != torch.equal(a, untrained[name]), name

    def test_starts_from_the_same_head_as_every_method(self, exact: TinyCell) -> None:
        """Else a comparison of methods would be one of initial heads as well."""
        if not tiny.HEADS[exact.kind]:
            pytest.skip("no head on this kind of base")
        plain = tiny.load(exact.kind)
        trained = {name: p for name, p in exact.applied().named_parameters() if p.requires_grad}
        for head in tiny.HEADS[exact.kind]:
            for suffix, value in plain.get_submodule(head).named_parameters():
                copies = [p for name, p in trained.items() if head in name and name.endswith(suffix)]
                assert any(torch.equal(value, copy) for copy in copies)
