"""Choices scored by the harness and by lm-evaluation-harness (hf back end) on the same prompts and weights."""

import logging
import time
import warnings
from statistics import median
from typing import Any

import torch

from harness import data
from harness.core.spec import parse_spec
from harness.data.tasks import find_task
from harness.formulations._likelihood import BoundLikelihood
from harness.runs.predict import predict
from harness.runs.resolve import resolve
from harness.speed.allocator import keep_large_buffers
from harness.task import Example
from tests.bench.contestants import sentences
from tests.ready import ready

BATCH_SIZES = (8, 16, 32)
CASES = {
    "one token per choice": (None, 0, 160),
    "several tokens per choice": ("openbookqa", 0, 64),
    "four shots": (None, 4, 48),
}
"""Task (None: the sentences that everything else is raced on), examples in the prompt, questions asked."""


def scoring(short: bool) -> dict[str, Any]:
    """Each case: seconds of both, taking turns in one process, and how far apart their scores are."""
    keep_large_buffers()
    return {name: _case(*case, short) for name, case in CASES.items()}


def _case(task_name: str | None, n_shots: int, n_test: int, short: bool) -> dict[str, Any]:
    given = {
        "base": {"name": "smollm2-135m"},
        "task": {"name": task_name or sentences(), "test_limit": 4 if short else n_test},
        "method": {"name": "zero_shot", "n_shots": n_shots},
    }
    spec = resolve(parse_spec(given)).spec
    adapted = ready(spec)
    task, base, formulation = find_task(spec.task.name), adapted.base, adapted.formulation
    assert isinstance(formulation, BoundLikelihood)
    splits = data.load(task, spec.task, spec.seed)[0]
    tested = splits.test
    formulation.prepare(base.model, splits.train)
    theirs = {size: _lm_eval(formulation, tested[:16], size)[0] for size in ((8,) if short else BATCH_SIZES)}
    best = min(theirs, key=theirs.__getitem__)
    seconds: dict[str, list[float]] = {"harness": [], "lm-evaluation-harness": []}
    for _ in range(1 if short else 2):
        taken, their_scores = _lm_eval(formulation, tested, best)
        seconds["lm-evaluation-harness"].append(taken)
        started = time.perf_counter()
        answers = predict(base.model, formulation, formulation.encode(tested))
        seconds["harness"].append(time.perf_counter() - started)
    scores = torch.tensor([answer.scores for answer in answers])
    their = torch.tensor(their_scores).view(scores.shape)
    result = {name: median(values) for name, values in seconds.items()}
    gap = float((scores - their).abs().max())
    assert gap < (1e-3 if spec.training.precision == "fp32" else 0.5), gap
    return {
        "seconds": result,
        "ratio": result["lm-evaluation-harness"] / result["harness"],
        "their batch size": best,
        "precision": spec.training.precision,
        "largest difference in nats": gap,
        "equal answers": int((scores.argmax(-1) == their.argmax(-1)).sum()),
        "answers": len(tested),
    }


def _lm_eval(formulation: BoundLikelihood, tested: list[Example], batch_size: int) -> tuple[float, list[float]]:
    """Seconds and scores, example by example and choice by choice."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # at every model it says that it was given one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision = formulation.spec.training.precision
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        model = HFLM(
            pretrained=formulation.base.model,
            tokenizer=formulation.tokenizer,
            batch_size=batch_size,
            mixed_precision_dtype=dtype if precision == "bf16" else None,
        )
        pairs = [(formulation.prompts.prompt(e), choice) for e in tested for choice in formulation.prompts.choices(e)]
        requests = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
        started = time.perf_counter()
        scores = [score for score, _ in model.loglikelihood(requests, disable_tqdm=True)]
        return time.perf_counter() - started, scores
