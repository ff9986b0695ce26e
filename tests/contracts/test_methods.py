"""What every registered method must keep to, on every kind of base and every precision."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.core.spec import MethodSpec, Quantization
from harness.method import METHODS, BaseKind, Method, make_method
from tests import tiny

STEPS = 12
KINDS: tuple[BaseKind, ...] = ("encoder", "decoder", "encoder_decoder")
QUANTIZATIONS: tuple[Quantization, ...] = ("none", "8bit", "4bit")
NAMES = METHODS.names()


@dataclass(frozen=True)
class Cell:
    """A method on a base."""

    name: str
    kind: BaseKind
    quantization: Quantization

    @property
    def method(self) -> Method:
        return make_method(MethodSpec(name=self.name))

    @property
    def skipped(self) -> str | None:
        return self.method.skip(tiny.base_info(self.kind, self.quantization), tiny.task_info(self.kind))

    def applied(self, seed: int = 0) -> nn.Module:
        """A fresh model that the method was applied to."""
        stack = {"encoder": "bert.encoder.layer", "decoder": "model.layers", "encoder_decoder": "decoder.block"}
        unquantized = [f"{stack[self.kind]}.{i}" for i in self.method.unquantized_blocks(tiny.BLOCKS)]
        model = tiny.load(self.kind, self.quantization, unquantized)
        torch.manual_seed(seed)
        return self.method.apply(model, tiny.context(self.kind, self.quantization, STEPS))

    def logits(self, model: nn.Module) -> Tensor:
        with torch.no_grad():
            return model.eval()(**tiny.batch(self.kind)).logits

    def train(self, model: nn.Module, steps: int = STEPS) -> list[float]:
        """Task losses of a few optimizer steps on one batch."""
        method, inputs, losses = self.method, tiny.batch(self.kind), []
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.0)
        for step in range(1, steps + 1):
            loss = tiny.loss(self.kind, model(**inputs).logits, inputs)
            extra = method.extra_loss(model)
            (loss if extra is None else loss + extra).backward()
            optimizer.step()
            method.after_step(model, step)
            optimizer.zero_grad()
            losses.append(loss.item())
        return losses


CELLS = [Cell(name, kind, quantization) for name in NAMES for kind in KINDS for quantization in QUANTIZATIONS]
RUNNABLE = [cell for cell in CELLS if not cell.skipped]
TRAINED = [cell for cell in RUNNABLE if cell.method.trains]


def _id(cell: Cell) -> str:
    return f"{cell.name}-{cell.kind}-{cell.quantization}"


@pytest.mark.parametrize("name", NAMES)
def test_declares_itself(name: str) -> None:
    cls = METHODS.find(name)
    assert cls.__doc__
    assert "https://" in cls.source
    assert not cls.trains or 1e-6 < cls.learning_rate < 1
    assert all(field.description for field in cls.model_fields.values())


@pytest.mark.parametrize("name", NAMES)
def test_defaults_lie_inside_the_search_space(name: str) -> None:
    """And search can vary something of every method that trains and has hyperparameters."""
    method = METHODS.find(name)()
    space = method.space()
    assert space or not (method.trains and type(method).model_fields)
    assert {field for field, values in space.items() if getattr(method, field) not in values} == set()


def test_methods_import_no_torch() -> None:
    code = (
        "import sys; from harness.method import METHODS; "
        "[METHODS.find(name)().space() for name in METHODS.names()]; "
        "print(*{'torch', 'transformers', 'peft'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_only_full_and_headless_zero_shot_are_skipped() -> None:
    """Nothing but what cannot work is left out of a comparison."""
    skipped = {(cell.name, cell.kind, cell.quantization) for cell in CELLS if cell.skipped}
    full = {("full", kind, quantization) for kind in KINDS for quantization in ("8bit", "4bit")}
    assert skipped == full | {("zero_shot", "encoder", quantization) for quantization in QUANTIZATIONS}


@pytest.mark.parametrize("cell", RUNNABLE, ids=_id)
def test_trains_something_exactly_if_it_says_so(cell: Cell) -> None:
    model = cell.applied()
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert bool(trainable) == cell.method.trains
    for head in tiny.HEADS[cell.kind]:
        assert any(head in name for name in trainable) == cell.method.trains


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer; packed quantized weights are parameters."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


@pytest.mark.parametrize("cell", TRAINED, ids=_id)
def test_training_lowers_the_loss_and_leaves_frozen_weights_alone(cell: Cell, tmp_path: Path) -> None:
    model = cell.applied()
    before = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}

    losses = cell.train(model)

    assert losses[-1] < losses[0]
    changed = {name for name, tensor in _tensors(model).items() if not torch.equal(tensor, before[name])}
    assert changed <= {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    cell.method.save(model, tmp_path)
    restored = cell.applied(seed=1)
    cell.method.load(restored, tmp_path)
    # 8-bit layers round activations too: a last digit that differs (AdaLoRA's smaller matrices) can become one step
    tolerance = 2e-3 if cell.quantization == "8bit" else 1e-5
    torch.testing.assert_close(cell.logits(restored), cell.logits(model), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("cell", [cell for cell in TRAINED if cell.quantization == "none"], ids=_id)
def test_same_seed_gives_same_weights_and_every_one_is_reached(cell: Cell) -> None:
    """Two steps: the first moves only one of two factors where the other starts at zero."""
    first, second, untrained = cell.applied(), cell.applied(), dict(cell.applied().named_parameters())
    for model in (first, second):
        cell.train(model, steps=2)
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
        assert a.requires_grad != torch.equal(a, untrained[name]), name


WITH_A_HEAD = [cell for cell in TRAINED if cell.quantization == "none" and tiny.HEADS[cell.kind]]


@pytest.mark.parametrize("cell", WITH_A_HEAD, ids=_id)
def test_every_method_starts_from_the_same_head(cell: Cell) -> None:
    """Else a comparison of methods would be one of initial heads as well."""
    plain = tiny.load(cell.kind)
    trained = {name: p for name, p in cell.applied().named_parameters() if p.requires_grad}
    for head in tiny.HEADS[cell.kind]:
        for suffix, value in plain.get_submodule(head).named_parameters():
            copies = [p for name, p in trained.items() if head in name and name.endswith(suffix)]
            assert any(torch.equal(value, copy) for copy in copies)
