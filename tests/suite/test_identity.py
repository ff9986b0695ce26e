"""A run's name: the same for the same run, another for any other."""

from harness import RunSpec, identity
from harness.spec import parse_spec


def spec(**sections: object) -> RunSpec:
    return parse_spec({"task": {"name": "rotten_tomatoes"}, "method": {"name": "lora"}, **sections})


def test_resolving_writes_every_default_out_and_is_idempotent() -> None:
    resolved = identity.resolve(spec())
    assert resolved.method.settings["rank"] == 8
    assert resolved.training.learning_rate == 5e-4
    assert resolved.training.precision in ("fp32", "bf16")
    assert resolved.formulation == "head"
    assert identity.resolve(resolved) == resolved


def test_a_default_written_out_is_the_same_run() -> None:
    written = spec(method={"name": "lora", "rank": 8}, training={"learning_rate": 5e-4})
    assert identity.resolve(written) == identity.resolve(spec())


def test_what_is_asked_for_is_kept() -> None:
    asked = spec(
        training={"learning_rate": 0.1, "precision": "fp32"}, formulation="head", base={"name": "smollm2-135m"}
    )
    resolved = identity.resolve(asked)
    assert (resolved.training.learning_rate, resolved.training.precision) == (0.1, "fp32")
    assert resolved.formulation == "head"


def test_formulations_follow_the_base_and_the_method() -> None:
    def formulation(base: str, method: str) -> str | None:
        return identity.resolve(spec(base={"name": base}, method={"name": method})).formulation

    assert formulation("minilm", "full") == "head"
    assert formulation("minilm", "zero-shot") == "similarity"
    assert formulation("smollm2-135m", "full") == formulation("smollm2-135m", "zero_shot") == "likelihood"


def test_training_settings_do_not_tell_untrained_runs_apart() -> None:
    few, many = (spec(method={"name": "zero_shot"}, training={"epochs": n}) for n in (1, 9))
    assert identity.resolve(few) == identity.resolve(many)


def test_every_part_of_the_identity_changes_the_run_id() -> None:
    resolved = identity.resolve(spec())
    ids = [
        identity.run_id(resolved, 1, 1, "a", "w"),
        identity.run_id(resolved, 2, 1, "a", "w"),
        identity.run_id(resolved, 1, 2, "a", "w"),
        identity.run_id(resolved, 1, 1, "b", "w"),
        identity.run_id(resolved, 1, 1, "a", "v"),
        identity.run_id(identity.resolve(spec(seed=1)), 1, 1, "a", "w"),
        identity.run_id(identity.resolve(spec(method={"name": "lora", "rank": 4})), 1, 1, "a", "w"),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(run_id) == 12 and int(run_id, 16) >= 0 for run_id in ids)
    assert ids[0] == identity.run_id(identity.resolve(spec()), 1, 1, "a", "w")


def test_a_cell_that_cannot_run_has_a_reason() -> None:
    quantized = spec(method={"name": "full"}, base={"quantization": "4bit"})
    assert "quantiz" in (identity.skip_reason(identity.resolve(quantized)) or "")
    assert identity.skip_reason(identity.resolve(spec())) is None
    prompted = identity.resolve(spec(formulation="likelihood"))
    assert "encoder" in (identity.skip_reason(prompted) or "")
