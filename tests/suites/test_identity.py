"""A run's name: the same for the same run, another for any other."""

from dataclasses import replace

import pytest

from harness import RunSpec
from harness.core.spec import parse_spec
from harness.runs.identity import run_id
from harness.runs.resolve import resolve


def spec(**sections: object) -> RunSpec:
    return parse_spec({"task": {"name": "rotten_tomatoes"}, "method": {"name": "lora"}, **sections})


def test_resolving_writes_every_default_out_and_is_idempotent() -> None:
    resolved = resolve(spec()).spec
    assert resolved.method.settings["rank"] == 8
    assert resolved.training.learning_rate == 5e-4
    assert resolved.training.precision in ("fp32", "bf16")
    assert resolved.formulation == "head"
    assert resolve(resolved).spec == resolved


def test_a_default_written_out_is_the_same_run() -> None:
    written = spec(method={"name": "lora", "rank": 8}, training={"learning_rate": 5e-4})
    assert resolve(written) == resolve(spec())


def test_what_is_asked_for_is_kept() -> None:
    asked = spec(
        training={"learning_rate": 0.1, "precision": "fp32"}, formulation="head", base={"name": "smollm2-135m"}
    )
    resolved = resolve(asked).spec
    assert (resolved.training.learning_rate, resolved.training.precision) == (0.1, "fp32")
    assert resolved.formulation == "head"


def test_formulations_follow_the_base_and_the_method() -> None:
    def formulation(base: str, method: str) -> str | None:
        return resolve(spec(base={"name": base}, method={"name": method})).spec.formulation

    assert formulation("minilm", "full") == "head"
    assert formulation("minilm", "zero-shot") == "similarity"
    assert formulation("smollm2-135m", "full") == formulation("smollm2-135m", "zero_shot") == "likelihood"


def test_training_settings_do_not_tell_untrained_runs_apart() -> None:
    few, many = (spec(method={"name": "zero_shot"}, training={"epochs": n}) for n in (1, 9))
    assert resolve(few) == resolve(many)


def test_every_part_of_the_identity_changes_the_run_id() -> None:
    class Raised(type(resolve(spec()).method)):  # type: ignore[misc]
        version = 99

    run = resolve(spec())
    ids = [
        run_id(run, "a", "w"),
        run_id(replace(run, task=run.task.model_copy(update={"version": 99})), "a", "w"),
        run_id(replace(run, method=Raised()), "a", "w"),
        run_id(run, "b", "w"),
        run_id(run, "a", "v"),
        run_id(run.seeded(1), "a", "w"),
        run_id(resolve(spec(method={"name": "lora", "rank": 4})), "a", "w"),
        run_id(resolve(spec(training={"learning_rate": 1e-4})), "a", "w"),
        run_id(resolve(spec(base={"max_length": 64})), "a", "w"),
        run_id(resolve(spec(evaluation={"batch_size": 1})), "a", "w"),
        run_id(resolve(spec(formulation="similarity")), "a", "w"),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(found) == 12 and int(found, 16) >= 0 for found in ids)
    assert ids[0] == run_id(resolve(spec()), "a", "w")


def test_what_stands_at_its_default_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a field which is added later orphans no stored run."""
    before = run_id(resolve(spec()), "a", "w")
    written = spec(
        method={"name": "lora", "rank": 8}, training={"learning_rate": 5e-4, "epochs": 3}, prompt={"template": 0}
    )
    assert run_id(resolve(written), "a", "w") == before


def test_a_cell_that_cannot_run_has_a_reason() -> None:
    quantized = spec(method={"name": "full"}, base={"quantization": "4bit"})
    assert "quantiz" in (resolve(quantized).skip_reason() or "")
    assert resolve(spec()).skip_reason() is None
    prompted = resolve(spec(formulation="likelihood"))
    assert "encoder" in (prompted.skip_reason() or "")
