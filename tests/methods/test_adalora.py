"""AdaLoRA: the budget, the penalty, and what a checkpoint keeps."""

import pytest
import torch
from torch import nn

from harness.bases.anatomy import linear_names
from harness.core.errors import SpecError
from harness.core.spec import MethodSpec
from harness.method import make_method
from harness.methods.adalora import AdaLoRA
from harness.testing import tiny

MATRICES = 6 * tiny.BLOCKS


def train(method: AdaLoRA, total_steps: int, steps: int | None = None) -> nn.Module:
    torch.manual_seed(0)
    model = method.apply(tiny.load("encoder"), tiny.context("encoder", total_steps=total_steps))
    inputs = tiny.batch("encoder")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for step in range(1, (steps or total_steps) + 1):
        (tiny.loss("encoder", model(**inputs).logits, inputs) + method.extra_loss(model, None)).backward()
        optimizer.step()
        method.after_step(model, step)
        optimizer.zero_grad()
    return model


def total_rank(model: nn.Module) -> int:
    return sum(int((p != 0).sum()) for name, p in model.named_parameters() if "lora_E" in name)


@pytest.mark.parametrize("total_steps", [2, 3, 10, 25])
def test_final_total_rank_is_the_budget(total_steps: int) -> None:
    """However short the run; each mask of the final phase comes after the optimizer step, so it holds at the end."""
    model = train(AdaLoRA(init_rank=6, target_rank=2), total_steps)
    assert total_rank(model) == 2 * MATRICES


def test_rank_shrinks_on_the_cubic_schedule() -> None:
    """At step t: target + (init - target) (1 - (t - warm-up) / (T - final - warm-up))^3, section 3.3."""
    method = AdaLoRA(init_rank=6, target_rank=2, warmup_ratio=0.2, final_ratio=0.3, mask_interval=1)
    ranks = [total_rank(train(method, 20, steps)) for steps in (4, 9, 14)]
    halfway = MATRICES * (2 + (6 - 2) * (1 - 5 / 10) ** 3)
    assert ranks == [6 * MATRICES, int(halfway), 2 * MATRICES]


def test_trainable_final_counts_the_ranks_that_are_left() -> None:
    method = AdaLoRA(init_rank=6, target_rank=2)
    model, plain = train(method, 10), tiny.load("encoder")
    head = sum(p.numel() for p in plain.classifier.parameters())
    kept = {
        name.split(".lora_E")[0].removeprefix("base_model.model."): int((p != 0).sum())
        for name, p in model.named_parameters()
        if "lora_E" in name
    }
    shapes = {name: plain.get_submodule(name).weight.shape for name in linear_names(plain)}
    assert method.trainable_final(model) == head + sum(rank * (sum(shapes[name]) + 1) for name, rank in kept.items())


def test_penalty_equals_pefts() -> None:
    """peft adds it to the loss that the model computes from labels."""
    method = AdaLoRA(orthogonality_weight=0.3)
    model = train(method, 10).eval()
    inputs, labels = tiny.batch("encoder"), torch.tensor([0, 1, 2, 0])
    output = model(**inputs, labels=labels)
    own = torch.nn.functional.cross_entropy(output.logits, labels)
    torch.testing.assert_close(method.extra_loss(model, None), output.loss - own, atol=1e-5, rtol=1e-5)


def test_phases_that_leave_nothing_are_refused() -> None:
    for settings, message in [
        ({"init_rank": 8, "target_rank": 8}, "target_rank 8 must be below init_rank 8"),
        ({"warmup_ratio": 0.5, "final_ratio": 0.5}, "must be below 1"),
    ]:
        with pytest.raises(SpecError, match=message):
            make_method(MethodSpec(name="adalora", **settings))
    with pytest.raises(SpecError, match="two optimizer steps"):
        AdaLoRA().apply(tiny.load("encoder"), tiny.context("encoder", total_steps=1))


def test_a_checkpoint_from_before_the_pruning_keeps_its_own_ranks(tmp_path) -> None:
    """The chosen checkpoint may be an early one, put back into a model whose schedule has moved on."""
    method = AdaLoRA(init_rank=6, target_rank=2, mask_interval=1)
    early = train(method, 20, steps=4)
    model = train(method, 20)
    model.load_state_dict(early.state_dict())
    method.save(model, tmp_path)
    restored = method.apply(tiny.load("encoder"), tiny.context("encoder", total_steps=20))
    method.load(restored, tmp_path)
    assert total_rank(restored) == total_rank(early) > 2 * MATRICES
    with torch.no_grad():
        expected = early.eval()(**tiny.batch("encoder")).logits
        torch.testing.assert_close(restored.eval()(**tiny.batch("encoder")).logits, expected, atol=1e-5, rtol=1e-5)
