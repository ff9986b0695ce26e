"""The speed benchmark in short: what it compares is comparable. Times are not looked at."""

import json
from pathlib import Path

import pytest

from tests.bench.contestants import VERSIONS, options
from tests.bench.scoring import CASES
from tests.bench.speed import SIZES, main, spec_of


def test_options_name_the_same_run() -> None:
    words = options(spec_of("last_layers", seed=1, size=SIZES["short"]))
    assert words[:2] == ["--method", "last_layers"]
    assert words[words.index("--seed") + 1] == "1"
    assert "training.epochs=5" in words
    assert 'training.precision="fp32"' in words or 'training.precision="bf16"' in words


@pytest.mark.slow
def test_what_is_compared_is_equal(tmp_path: Path) -> None:
    """LoRA by both scripts and the harness, scoring by lm-evaluation-harness, runs alone and in a worker."""
    main("short", tmp_path / "speed.json", ["lora", "zero-shot", "12-runs"])
    results = json.loads((tmp_path / "speed.json").read_text())
    assert all(results["lora"][version]["train_tokens_per_second"] > 0 for version in VERSIONS)
    assert all(results["zero-shot"][case]["equal answers"] == results["zero-shot"][case]["answers"] for case in CASES)
    assert results["12-runs"]["runs"] == 2
