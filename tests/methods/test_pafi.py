"""PaFi: which weights are trained, that no other one moves, and that merging them changes no answer."""

import torch

from harness.methods.pafi import PaFi
from harness.storage.checkpoint import trainable
from harness.testing import tiny

LAYER = "bert.encoder.layer.1.output.dense"


def test_the_smallest_weights_are_trained_and_no_other() -> None:
    method, inputs = PaFi(density=0.01), tiny.batch("encoder")
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    plain = tiny.load("encoder")
    before = plain.get_submodule(LAYER).weight
    assert torch.equal(model(**inputs).logits, plain(**inputs).logits)

    optimizer = torch.optim.AdamW(trainable(model).values(), lr=1e-2, weight_decay=0.1)
    tiny.loss("encoder", model(**inputs).logits, inputs).backward()
    optimizer.step()
    moved = model.get_submodule(LAYER).weight - before
    chosen = moved.flatten().nonzero().flatten().tolist()
    n = round(0.01 * before.numel())
    assert set(chosen) <= set(before.abs().flatten().topk(n, largest=False).indices.tolist())
    assert 0.8 * n <= len(chosen) <= n  # a few may have no gradient

    expected = model(**inputs).logits
    merged = method.merge(model)
    assert {name for name, _ in merged.named_parameters()} == {name for name, _ in plain.named_parameters()}
    torch.testing.assert_close(merged(**inputs).logits, expected)
