"""Where the time of a LoRA step goes: `python -m tests.bench.profile_step`.

Batches of 32 sentences on `minilm`, in passes of similar length. The parts are medians over the batches of an epoch's
beginning, the three models take turns. "Frozen" is the same forward and backward passes with no LoRA in them: what the
gradient costs that only goes through. The limit is the time that the matrix products of those passes take alone, in a
loop. "Eight in one" is a batch eight times as large: no way of training eight runs together on one base can gain more
than it does.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from torch import nn
from torch.nn.functional import linear

from harness import data
from harness.bases.anatomy import blocks, is_linear
from harness.core.spec import RunSpec, parse_spec
from harness.data.tasks import find_task
from harness.formulation import Batch, Row
from harness.methods._low_rank import LowRankLinear
from harness.runs.adapted import Adapted
from harness.runs.resolve import resolve
from harness.speed.allocator import keep_large_buffers
from harness.storage.checkpoint import trainable
from harness.training.batches import epoch_batches, passes
from tests.bench.contestants import sentences
from tests.ready import ready

N_BATCHES, TURNS = 12, 3


def spec() -> RunSpec:
    """LoRA with its defaults, 2,000 sentences."""
    task = {"name": sentences(), "train_limit": 2000, "validation_limit": 32, "test_limit": 32}
    return resolve(parse_spec({"task": task, "method": {"name": "lora"}})).spec


def prepared(asked: RunSpec, variant: str) -> Adapted:
    """The adapted base: the harness's ("harness"), with peft's own layers ("peft"), or without LoRA ("frozen")."""
    adapted = ready(asked, steps=100)
    for module in adapted.model.modules():
        if variant != "harness" and isinstance(module, LowRankLinear):
            module.__class__ = LowRankLinear.__bases__[0]
            module._disable_adapters = variant == "frozen"
    if variant == "frozen":
        adapted.model.get_input_embeddings().register_forward_hook(lambda *args: args[2].requires_grad_())
    adapted.model.train()
    return adapted


def step(adapted: Adapted, rows: Sequence[Row], optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Seconds of the parts of one step."""
    seconds = dict.fromkeys(("data", "forward", "backward", "optimizer"), 0.0)
    clock = time.perf_counter()

    def ends(part: str) -> None:
        nonlocal clock
        seconds[part] += (now := time.perf_counter()) - clock
        clock = now

    for taken in passes_of(adapted, rows):
        batch: Batch = adapted.formulation.collate(taken, torch.device("cpu"))
        ends("data")
        loss = adapted.formulation.losses(adapted.model, batch).sum() / len(rows)
        ends("forward")
        loss.backward()
        ends("backward")
    nn.utils.clip_grad_norm_([p for p in adapted.model.parameters() if p.grad is not None], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    ends("optimizer")
    return seconds


def passes_of(adapted: Adapted, rows: Sequence[Row]) -> list[list[Row]]:
    """The passes that the harness makes over a batch."""
    return passes(rows, len(rows), adapted.formulation.max_padding(adapted.model))


def products(adapted: Adapted, rows: Sequence[Row]) -> tuple[float, float]:
    """Seconds and floating-point operations of the frozen layers' products of a pass: W x and, going back, W^T g."""
    longest = max(row.length for row in rows)
    n_tokens, stack = len(rows) * longest, blocks(adapted.model)[1]
    seconds = operations = 0.0
    for index, block in enumerate(stack):
        for name, layer in block.named_modules():
            if not is_linear(layer) or "lora_" in name:
                continue
            reads_all = index < len(stack) - 1 or ".key" in name or ".value" in name
            tokens = n_tokens if reads_all else len(rows)
            x, weight = torch.randn(tokens, layer.in_features), layer.weight.detach()
            out = torch.randn(tokens, layer.out_features)
            for product in (lambda x=x, w=weight: linear(x, w), lambda g=out, w=weight: g @ w):
                seconds += timed(product)
            operations += 2 * 2.0 * tokens * layer.in_features * layer.out_features
    return seconds, operations


def eight_in_one(adapted: Adapted, rows: Sequence[Row]) -> float:
    """How many times faster the passes are on 256 sequences of one length than on 32, eight times."""
    row = sorted(rows, key=lambda row: row.length)[len(rows) // 2]
    optimizer = torch.optim.AdamW(list(trainable(adapted.model).values()), lr=0.0, fused=True)
    small, large = [], []
    for _ in range(TURNS + 1):
        taken = [step(adapted, [row] * 32, optimizer) for _ in range(8)]
        small.append(sum(part["forward"] + part["backward"] for part in taken))
        whole = step(adapted, [row] * 256, optimizer)
        large.append(whole["forward"] + whole["backward"])
    return statistics.median(small[1:]) / statistics.median(large[1:])


def timed(function: Callable[[], object]) -> float:
    """Seconds of a call, the second of two."""
    function()
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print, as JSON."""
    keep_large_buffers()
    asked = spec()
    task = find_task(asked.task.name)
    train = data.load(task, asked.task, asked.seed)[0].train
    models = {variant: prepared(asked, variant) for variant in ("harness", "peft", "frozen")}
    rows = models["harness"].formulation.encode_training(train)
    batches = epoch_batches(len(rows), 32, asked.seed, 1)[:N_BATCHES]
    chosen = [[rows[index] for index in batch] for batch in batches]
    optimizers = {
        v: torch.optim.AdamW(list(trainable(a.model).values()), lr=1e-4, fused=True) for v, a in models.items()
    }
    found: dict[str, list[list[dict[str, float]]]] = {variant: [[] for _ in chosen] for variant in models}
    for _ in range(TURNS):
        for place, taken in enumerate(chosen):
            for variant, adapted in models.items():
                found[variant][place].append(step(adapted, taken, optimizers[variant]))
    parts = {
        variant: {
            name: sum(statistics.median(turn[name] for turn in turns) for turns in steps) / len(chosen)
            for name in steps[0][0]
        }
        for variant, steps in found.items()
    }
    frozen = models["frozen"]
    limit = [products(frozen, part) for taken in chosen for part in passes_of(frozen, taken)]
    seconds, operations = (sum(values) for values in zip(*limit, strict=True))
    both_ways = {variant: values["forward"] + values["backward"] for variant, values in parts.items()}
    Console(width=100).print_json(
        json.dumps(
            {
                "milliseconds a step": {v: {k: round(1000 * s, 1) for k, s in p.items()} for v, p in parts.items()},
                "overhead of LoRA over the frozen passes, percent": {
                    variant: round(100 * (both_ways[variant] / both_ways["frozen"] - 1), 1)
                    for variant in ("harness", "peft")
                },
                "matrix products alone, milliseconds a step": round(1000 * seconds / len(chosen), 1),
                "matrix products alone, GFLOP/s": round(operations / seconds / 1e9, 1),
                "share of the harness's passes": round(seconds / len(chosen) / both_ways["harness"], 2),
                "eight in one, times faster": round(eight_in_one(models["harness"], rows), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
