"""The speed benchmark in short: what it compares is comparable. Times are not looked at."""

import json
from pathlib import Path

import pytest

from tests.bench.contestants import VERSIONS, options
from tests.bench.speed import RACES, main, spec_of


def test_options_name_the_same_run() -> None:
    words = options(spec_of(RACES[-1], seed=1, short=True))
    assert words[:2] == ["--method", "last_layers"]
    assert words[words.index("--seed") + 1] == "1"
    assert "training.epochs=2" in words
    assert 'training.precision="fp32"' in words or 'training.precision="bf16"' in words


@pytest.mark.slow
def test_contestants_take_the_same_steps(tmp_path: Path) -> None:
    """LoRA by both scripts and the harness."""
    main(short=True, out=tmp_path / "speed.json", only=["lora"])
    results = json.loads((tmp_path / "speed.json").read_text())
    assert all(results["lora"][version]["train_tokens_per_second"] > 0 for version in VERSIONS)
