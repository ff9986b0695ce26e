"""Real multiple-choice questions, a real base: lm-evaluation-harness's whole pipeline gives the same."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from harness import data
from harness.core.spec import RunSpec, parse_spec
from harness.data.tasks import find_task
from harness.runs.adapted import load_base
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.task import Example
from tests import real

N_EXAMPLES = 24
FILES = {"openbookqa": "openbookqa/openbookqa.yaml", "piqa": "piqa/piqa.yaml"}


def hub_row(name: str, example: Example) -> dict[str, Any]:
    """The example in the hub's columns, which lm-evaluation-harness reads."""
    if name == "piqa":
        return {**example.fields, "sol1": example.choices[0], "sol2": example.choices[1], "label": example.target}
    letters = "ABCD"
    choices = {"text": list(example.choices), "label": list(letters)}
    return {**example.fields, "choices": choices, "answerKey": letters[int(str(example.target))]}


def spec_of(name: str, normalization: str) -> RunSpec:
    return parse_spec(
        {
            "base": {"name": real.base("smollm2-135m")},
            "task": {"name": name, "test_limit": N_EXAMPLES, "validation_limit": 1},
            "method": {"name": "zero_shot", "normalization": normalization},
            "training": {"precision": "fp32"},
        }
    )


def evaluate_theirs(name: str, examples: list[Example]) -> dict[str, Any]:
    """Their task file on these rows, their prompts, their scoring; only the model object is ours."""
    import lm_eval
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    base = load_base(resolve(spec_of(name, "none")))
    file = Path(lm_eval.__file__).parent / "tasks" / FILES[name]
    config = yaml.safe_load(file.read_text())
    for key in ("dataset_path", "dataset_name", "training_split", "validation_split", "dataset_kwargs"):
        config.pop(key, None)
    rows = Dataset.from_list([hub_row(name, example) for example in examples])
    task = ConfigurableTask(config={**config, "test_split": "test", "custom_dataset": lambda **_: {"test": rows}})
    model = HFLM(pretrained=base.model, tokenizer=base.tokenizer, batch_size=16)
    return lm_eval.evaluate(model, {name: task}, bootstrap_iters=0, log_samples=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_log_likelihoods_acc_and_acc_norm(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    plain = spec_of(name, "none")
    with real.needed():
        splits, info = data.load(find_task(name), plain.task, plain.seed)
    assert info.source.startswith("asset")
    theirs = evaluate_theirs(name, splits.test)
    samples = sorted(theirs["samples"][name], key=lambda sample: sample["doc_id"])
    assert len(samples) == len(splits.test) == N_EXAMPLES

    records = {normalization: run(spec_of(name, normalization), tmp_path) for normalization in ("none", "length")}
    answers = pq.read_table(tmp_path / "runs" / records["none"].run_id / "predictions.parquet").to_pylist()
    ours = [row for row in answers if row["split"] == "test"]
    assert [row["example_id"] for row in ours] == [example.id for example in splits.test]
    for row, sample in zip(ours, samples, strict=True):
        scores = [score for score, _ in sample["filtered_resps"]]
        assert [row[f"score_{n}"] for n in range(len(scores))] == pytest.approx(scores, abs=1e-3)
    found = theirs["results"][name]
    assert records["none"].metrics["test/accuracy"] == pytest.approx(found["acc,none"])
    assert records["length"].metrics["test/accuracy"] == pytest.approx(found["acc_norm,none"])
    assert records["length"].spec.method.settings["normalization"] == "length"
