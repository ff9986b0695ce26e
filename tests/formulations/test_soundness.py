"""A run that can't be right says so instead of "ok"."""

import json
import math
from pathlib import Path

import pytest
import torch

from harness.core.errors import NoResult
from harness.data.tasks import find_task
from harness.formulation import Answer, Row
from harness.runs.predict import Judged, predict
from harness.runs.run import run
from harness.runs.soundness import check_asked
from harness.task import Example
from harness.testing.snapshots import BAD, GOOD, tokenizer
from tests.conftest import MakeSpec, Register
from tests.ready import ready

UNTRAINED = '''"""Nothing is trained; the weights are not numbers."""
from typing import ClassVar
from harness.method import Method

class Broken(Method):
    """Weights that are not numbers."""
    source: ClassVar[str] = "nobody"
    trains: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1e-3

    def apply(self, model, context):
        import torch
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return model
'''


def own(folder: Path, target: str = "label", **more: str) -> str:
    """A file of one's own as a task: 60 texts with their labels."""
    lines = [
        {"text": f"the film is {(BAD, GOOD)[n % 2][n // 2 % 4]} in {n}", "label": "np"[n % 2], "answer": GOOD[n % 4]}
        for n in range(60)
    ]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    only = [line | {"text": f"a {line['text']}"} for line in lines[::2]]
    (folder / "only_n.jsonl").write_text("\n".join(map(json.dumps, only)))
    return f"{folder / 'own.jsonl'}?text=text&target={target}" + "".join(f"&{key}={more[key]}" for key in more)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
@pytest.mark.parametrize("asks", ["classification", "generation"])
def test_answers_that_are_not_numbers(
    asks: str, kind: str, make_spec: MakeSpec, register: Register, tmp_path: Path
) -> None:
    register("methods", "broken", UNTRAINED)
    name = own(tmp_path, "label" if asks == "classification" else "answer", kind=asks)
    record = run(make_spec("broken", kind, task={"name": name, "path": None}), tmp_path)
    assert (record.status, record.metrics) == ("failed", {})
    assert "not" in (record.reason or "")
    assert "number" in (record.reason or "")


@pytest.mark.parametrize(("name", "target"), [("sst2", 1), ("stsb", 2.5), ("wnut17", (0, 1))])
def test_heads_that_are_not_numbers(name: str, target: object, make_spec: MakeSpec) -> None:
    adapted = ready(make_spec("full", task={"name": name, "path": None}))
    fields = dict.fromkeys(find_task(name).text, "good film")
    rows = adapted.formulation.encode([Example("7", fields, target, tokens=("good", "film"))])  # type: ignore[arg-type]
    assert len(predict(adapted.model, adapted.formulation, rows)) == 1
    with torch.no_grad():
        list(adapted.model.parameters())[-1].fill_(math.nan)
    with pytest.raises(NoResult, match=r"not (a )?number"):
        predict(adapted.model, adapted.formulation, rows)


def test_targets_on_which_nothing_can_be_earned(make_spec: MakeSpec, tmp_path: Path) -> None:
    name = own(tmp_path, test="only_n.jsonl", metrics="f1")
    record = run(make_spec("lora", task={"name": name, "path": None}), tmp_path)
    assert record.status == "failed"
    assert (
        record.reason == "test: f1 is undefined: no target has label 1; take more or other examples, or another metric"
    )
    assert record.curve == []


def test_texts_of_which_the_base_knows_nothing(make_spec: MakeSpec, tmp_path: Path) -> None:
    path = tmp_path / "far.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"他昨天看书{n}", "label": "np"[n % 2]}) for n in range(60)))
    for kind in ("encoder", "decoder"):
        spec = make_spec("lora", kind, task={"name": f"{path}?text=text&target=label", "path": None})
        record = run(spec, tmp_path)
        assert record.status == "failed"
        assert "knows no token of the texts, such as '他昨天看书" in (record.reason or "")


def test_examples_that_became_no_question() -> None:
    task, asked = find_task("sst2"), [Example(str(n), {"sentence": "good"}, n) for n in range(2)]
    for examples, n_rows in ((asked, 1), ([], 0)):
        with pytest.raises(NoResult, match=f"test: {n_rows} of {len(examples)} examples"):
            check_asked(task, tokenizer("encoder"), "test", examples, n_rows)
    check_asked(task, tokenizer("encoder"), "test", asked, 2)


def test_counts_of_answers(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("lora", training={"max_steps": 1}), tmp_path)
    for split, counts in record.answered.items():
        assert counts.asked == counts.scored == record.data.sizes[split]
        assert counts.distinct in (1, 2)
    assert set(record.answered) == {"validation", "test"}


def test_fewer_answers_than_questions() -> None:
    rows = [Row(Example(str(n), {}, n), ([1],)) for n in range(2)]
    with pytest.raises(NoResult, match="test: 1 answers to 2 examples"):
        Judged("test", rows, [Answer(0)]).metrics(find_task("sst2"))
