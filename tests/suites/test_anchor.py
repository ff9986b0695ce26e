"""Published numbers: every anchor's file, and the verdict on each."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.measure.hardware import has_nvidia_gpu
from harness.storage.record import Record
from harness.suites.anchor import Anchor, anchors, find_anchors, judge_anchor
from harness.suites.suite import expand, parse_suite
from tests.architectures import save_architecture
from tests.synthetic import make_record

HUB_BASES = {
    "FacebookAI/roberta-base": "roberta",
    "microsoft/deberta-v3-base": "deberta",
    "google-bert/bert-large-uncased": "bert",
}
ANCHOR = Anchor(
    title="t", source="s", published=0.8, metric="accuracy", tolerance=0.01, test_examples=2, protocol="p", suite={}
)


@dataclass(frozen=True)
class Case:
    scores: list[float]
    word: str


@pytest.mark.parametrize("name", anchors())
def test_an_anchor_is_of_a_suite_that_can_be_run(name: str, tmp_path: Path) -> None:
    """A base of the hub is stood for by a tiny random one of its architecture."""
    anchor = anchors()[name]
    tiny = [str(save_architecture(HUB_BASES[base], tmp_path / "base")) for base in anchor.suite["bases"] if "/" in base]
    suite = anchor.suite | ({"bases": tiny, "base": {"max_length": 32}} if tiny else {})
    cells = expand(parse_suite(suite))
    assert cells
    for cell in cells:
        assert anchor.metric in cell.run.task.metrics
        assert cell.run.skip_reason() is None
    assert anchor.source.count("https://") == 1


@pytest.mark.parametrize(
    "case",
    [
        Case([0.809], "reproduced"),
        Case([0.811], "not reproduced"),
        Case([0.789], "not reproduced"),
        # half-width of two draws: 12.706 * 0.02 / sqrt(2) = 0.18
        Case([0.88, 0.90], "reproduced"),
        Case([0.889, 0.891, 0.890, 0.890], "not reproduced"),
    ],
)
def test_the_verdict_by_hand(case: Case) -> None:
    records = [
        Record.model_validate(make_record("lora", seed, accuracy=score)) for seed, score in enumerate(case.scores)
    ]
    assert judge_anchor(ANCHOR, records, None).word == case.word


def test_few_test_examples_widen_what_counts_as_the_same() -> None:
    record = Record.model_validate(make_record("lora", accuracy=0.75))
    few = record.model_copy(update={"data": record.data.model_copy(update={"sizes": {"test": 300}})})
    anchor = ANCHOR.model_copy(update={"test_examples": 1200})
    # 1.96 standard errors of a share of 0.75 in 300, of which three quarters of the population were not asked: 0.0424
    assert judge_anchor(anchor, [few], None).why == (
        "-0.0500, where 0.0424 counts as the same; 300 of 1,200 test examples"
    )
    whole = ANCHOR.model_copy(update={"test_examples": 300})
    assert judge_anchor(whole, [few], None).why == "-0.0500, where 0.0100 counts as the same"


def test_what_can_not_be_compared_says_why() -> None:
    assert judge_anchor(ANCHOR, [], "no data").why == "no data"
    other = ANCHOR.model_copy(update={"not_comparable": "another checkpoint"})
    assert judge_anchor(other, [], None).word == "not comparable"
    failed = Record.model_validate(make_record("lora", status="failed", reason="no memory"))
    assert judge_anchor(ANCHOR, [failed], None).why == "no memory"


def test_what_takes_hours_of_a_gpu_is_not_begun_without_one(tmp_path: Path) -> None:
    if has_nvidia_gpu():
        pytest.skip("there is one here")
    done = CliRunner().invoke(app, ["verify", "lora_cola", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "not comparable" in done.stdout
    assert "hours of a GPU" in " ".join(done.stdout.split())
    assert not list(tmp_path.iterdir())


def test_an_unknown_anchor_is_named() -> None:
    with pytest.raises(SpecError, match="mteb_stsb"):
        find_anchors(["mteb_stb"])


@pytest.mark.skipif("HARNESS_DATA_DIR" not in os.environ, reason="needs the mirror of STS-B")
def test_stsb_is_reproduced(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verify", "mteb_stsb", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "reproduced" in done.stdout
