"""The fused low-rank layer against finite differences and against peft's own."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn
from torch.autograd import gradcheck

from harness.methods._low_rank import LowRankLinear, low_rank_linear
from harness.methods.lora import LoRA
from harness.testing import tiny


@pytest.mark.parametrize("has_bias", [True, False])
def test_gradients_are_those_of_the_formula(has_bias: bool) -> None:
    torch.manual_seed(0)
    x, weight, bias, a, b = (
        torch.randn(shape, dtype=torch.float64) for shape in ((2, 3, 5), (4, 5), (4,), (2, 5), (4, 2))
    )
    for tensor in (x, a, b):
        tensor.requires_grad_()

    def function(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return low_rank_linear(x, weight, bias if has_bias else None, a, b, 1.5)

    expected = x @ weight.T + (bias if has_bias else 0) + 1.5 * x @ a.T @ b.T
    torch.testing.assert_close(function(x, a, b), expected)
    assert gradcheck(function, (x, a, b))


def _pair(**settings: object) -> tuple[nn.Module, nn.Module]:
    """The harness's LoRA and peft's, with equal and nonzero weights."""
    method = LoRA(**settings)
    torch.manual_seed(0)
    ours = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        use_dora=method.use_dora,
        target_modules=["query", "key", "value", "dense"],
        exclude_modules=".*pooler.*",
    )
    theirs = get_peft_model(tiny.load("encoder"), config)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.2}, {"use_dora": True}], ids=["plain", "dropout", "dora"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_equals_peft(settings: dict[str, object], precision: str) -> None:
    ours, theirs = _pair(**settings)
    assert {type(m) for m in ours.modules() if isinstance(m, PeftLinear)} == {LowRankLinear}
    assert {type(m) for m in theirs.modules() if isinstance(m, PeftLinear)} == {PeftLinear}
    inputs, results = tiny.batch("encoder"), []
    for model in (ours, theirs):
        model.eval() if settings == {} else model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout) and module.p == 0.1:
                module.p = 0.0  # the base's own
        model.base_model.model.config.attention_probs_dropout_prob = 0.0
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(**inputs).logits.float()
        tiny.loss("encoder", logits, inputs).backward()
        results.append((logits, {n: p.grad for n, p in model.named_parameters() if p.requires_grad}))
    tolerance = 1e-5 if precision == "fp32" else 3e-2
    torch.testing.assert_close(results[0][0], results[1][0], atol=tolerance, rtol=tolerance)
    for name, gradient in results[1][1].items():
        torch.testing.assert_close(results[0][1][name], gradient, atol=tolerance, rtol=10 * tolerance, msg=name)


def test_follows_the_base_weights() -> None:
    """A copy kept in bf16 is not stale in fp32, and adapters can be switched off and merged as peft does it."""
    ours, theirs = _pair()
    inputs = tiny.batch("encoder")
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            ours(**inputs)
        torch.testing.assert_close(ours(**inputs).logits, theirs(**inputs).logits)
        with ours.disable_adapter():
            torch.testing.assert_close(ours(**inputs).logits, tiny.load("encoder")(**inputs).logits)
        ours.merge_adapter()
        torch.testing.assert_close(ours(**inputs).logits, theirs(**inputs).logits, atol=1e-5, rtol=1e-5)
