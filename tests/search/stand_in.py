"""A deterministic run that takes no time: its validation score is a smooth function of the configuration."""

import math

from harness.core.spec import RunSpec, digest, parse_spec
from harness.method import make_method
from harness.search.plan import OnValidation
from harness.storage.record import Cost, Params, PeakMemory, Record

LORA = parse_spec({"method": {"name": "lora"}, "task": {"name": "rotten_tomatoes"}})


def score(spec: RunSpec) -> float:
    """Best at learning rate 1e-3 and rank 16; seeds shift it a little, and differently for each configuration."""
    settings = make_method(spec.method).model_dump()
    rate = abs(math.log10((spec.training.learning_rate or 1e-3) / 1e-3))
    rank = abs(math.log2(settings.get("rank", 8) / 16))
    noise = int(digest([settings, spec.training.learning_rate, spec.seed]), 16) % 1000 / 1e6
    return 0.9 - 0.1 * rate - 0.01 * rank - 0.1 * settings.get("dropout", 0.0) + noise


def stand_in(spec: RunSpec, on_validation: OnValidation) -> Record:
    """Validations after 10, 20, 30 and 40 steps; a learning rate of 1 or more diverges after the first."""
    final, curve = score(spec), []
    diverges = (spec.training.learning_rate or 0) >= 1
    for step in (10,) if diverges else (10, 20, 30, 40):
        curve.append({"step": step, "validation/accuracy": 0.5 + (final - 0.5) * step / 40})
        on_validation(step, {"validation/accuracy": curve[-1]["validation/accuracy"]})
    return Record(
        run_id=digest(spec.model_dump(mode="json")),
        status="diverged" if diverges else "ok",
        reason="the loss became nan at step 11" if diverges else None,
        spec=spec,
        started_at="",
        finished_at="",
        primary_metric="accuracy",
        metrics={} if diverges else {"validation/accuracy": final, "test/accuracy": 1.0 - final},
        params=Params(trainable=1000 * spec.method.settings.get("rank", 8)),
        cost=Cost(train_seconds=0.1, peak_memory_bytes=PeakMemory(train=10**6)),
        curve=[] if diverges else curve,
    )
