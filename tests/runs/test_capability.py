"""Methods are tried on small models of a base's architecture; what was seen is kept by versions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.bases.package import PACKAGE_BASES
from harness.cli.app import app
from harness.cli.capability import T5_TINY
from harness.core.errors import SpecError
from harness.core.spec import MethodSpec
from harness.method import METHODS, make_method
from harness.runs.attempt import VOCABULARY, capability, small_config
from harness.runs.capability import Capability, known
from harness.suites.capability import check_capability
from harness.suites.suite import expand, read_suite
from tests.conftest import TOY_METHOD, Register

SMALL = {**PACKAGE_BASES["minilm"].config, "hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 4}
IDLE = "import torch; model.idle = torch.nn.Parameter(torch.zeros(3)); return model"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "capability"


def test_what_was_seen_is_kept_for_these_settings(cache: Path) -> None:
    lora = make_method(MethodSpec(name="lora"))
    assert known(lora, SMALL, "none") is None
    assert capability(lora, SMALL, "none") == Capability("works")
    assert known(lora, SMALL, "none") == Capability("works")
    assert known(lora.model_copy(update={"rank": 4}), SMALL, "none") is None
    assert known(lora, SMALL, "4bit") is None
    assert known(lora, SMALL | {"num_hidden_layers": 12}, "none") is None
    assert len(list(cache.iterdir())) == 1


def test_a_reason_is_the_methods_own_or_pefts() -> None:
    told = capability(METHODS.make("full"), SMALL, "8bit")
    assert told.state == "skipped"
    assert "8bit weights are integers" in (told.reason or "")
    refused = capability(METHODS.make("waveft", {"n_frequencies": 10**6}), SMALL, "none")
    assert refused.state == "skipped"
    assert "n_frequency" in (refused.reason or "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('it broke')", "RuntimeError: it broke"),
        (IDLE, "no gradient ever reached what was to be trained: idle"),
        ("model.bert.embeddings.word_embeddings.weight.data *= 2", "its first output differs from the base's by"),
    ],
)
def test_what_fails_is_said(body: str, reason: str, register: Register) -> None:
    register("methods", "toy", TOY_METHOD.format(body="").replace("return model", IDLE) if body is IDLE else body)
    seen = capability(METHODS.make("toy"), SMALL, "none")
    assert seen.state == "failed"
    assert reason in (seen.reason or "")


def test_large_bases_are_tried_small() -> None:
    small = small_config(
        {
            "model_type": "llama",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "num_hidden_layers": 32,
            "vocab_size": 128256,
            "eos_token_id": [128001, 128009],
        }
    )
    assert small["hidden_size"] == 1024
    assert small["intermediate_size"] == 3584
    assert (small["num_attention_heads"], small["num_key_value_heads"], small["num_hidden_layers"]) == (8, 2, 3)
    assert (small["vocab_size"], small["eos_token_id"]) == (VOCABULARY, 0)


def test_the_matrix_and_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["full", "linear_probe", "lora"]
    monkeypatch.setattr(type(METHODS), "names", lambda self: names)
    monkeypatch.setattr("harness.cli.capability._one_of_each_kind", lambda: {"minilm": SMALL, "t5": T5_TINY})
    shown = CliRunner().invoke(app, ["list", "methods", "--probe"], catch_exceptions=False).stdout
    lines = {line.split()[0]: line.split() for line in shown.splitlines()}
    assert lines["lora"][1] == "low-rank"
    assert lines["lora"][3:] == ["yes"] * 6
    assert lines["full"][2:] == ["yes", "–", "–"] * 2
    assert lines["linear_probe"][-6:] == ["yes"] * 3 + ["–"] * 3
    assert shown.splitlines()[-1] == "3 methods, 18 cells: 11 work, 7 are skipped, 0 failed"
    again = CliRunner().invoke(app, ["list", "methods", "--probe"], catch_exceptions=False).stdout
    assert again == shown
    with pytest.raises(SpecError, match="list methods --probe; got tasks"):
        CliRunner().invoke(app, ["list", "tasks", "--probe"], catch_exceptions=False)


def test_check_tells_a_cell_that_was_seen_to_fail(tmp_path: Path, register: Register) -> None:
    register("methods", "broken", "raise RuntimeError('it broke')")
    file = tmp_path / "suite.toml"
    file.write_text('tasks = ["sst2"]\n[methods.broken]\n[methods.lora]\n')
    cells = expand(read_suite(file))
    assert list(check_capability(cells)) == []
    capability(METHODS.make("broken"), PACKAGE_BASES["minilm"].config, "none")
    (finding,) = check_capability(cells)
    assert finding.fault == "cannot_train"
    assert "broken on minilm" in finding.what
    assert "it broke" in finding.reason
