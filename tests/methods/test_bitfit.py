"""BitFit on quantized bases: a bias keeps its precision while what is computed has less."""

import pytest
import torch

from harness.core.spec import Quantization
from harness.methods.bitfit import BitFit
from harness.storage.checkpoint import trainable
from harness.testing import tiny


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_biases_stay_in_full_precision(quantization: Quantization) -> None:
    model = BitFit().apply(tiny.load("encoder", quantization), tiny.context("encoder", quantization))
    plain = BitFit().apply(tiny.load("encoder"), tiny.context("encoder"))
    biases = {name.replace("trained_bias", "bias"): bias for name, bias in trainable(model).items()}
    assert biases.keys() == trainable(plain).keys()
    before = {name: bias.detach().clone() for name, bias in biases.items()}
    optimizer, inputs = torch.optim.SGD(biases.values(), lr=1e-4), tiny.batch("encoder")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = tiny.loss("encoder", model.train()(**inputs).logits.float(), inputs)
    loss.backward()
    optimizer.step()
    assert {bias.dtype for bias in biases.values()} == {torch.float32}
    moved = (
        biases["bert.encoder.layer.1.attention.output.dense.bias"]
        - before["bert.encoder.layer.1.attention.output.dense.bias"]
    )
    assert 0 < moved.abs().max() < 1e-3
