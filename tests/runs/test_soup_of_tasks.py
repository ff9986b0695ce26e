"""Adapters of several tasks merged into one, against peft's own merging; each task keeps its head."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification
from typer.testing import CliRunner

from harness.cells.cells import group, layout_of_all
from harness.cells.ensemble import over_tasks
from harness.cli.app import app
from harness.core.errors import SpecError
from harness.runs.export import predict_texts
from harness.runs.run import run
from harness.storage.record import Record
from harness.storage.store import Store
from harness.testing.snapshots import BAD, FILLER, GOOD, tiny_spec

TEXTS = ["a good film", "the plot is awful"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA with two seeds on two tasks of two and of three labels, and full fine-tuning on both."""
    folder = tmp_path_factory.mktemp("tasks")
    first = tiny_spec(folder, method={"name": "lora"}).updated(training={"learning_rate": 1e-2})
    words = (*GOOD, *BAD, *FILLER)
    rows = [{"text": f"{words[n % 18]} {words[n // 3 % 18]} film {n}", "label": n % 3} for n in range(90)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "three.parquet")
    other = f"{folder}/three.parquet?text=text&target=label"
    for spec in (first, first.updated(task={"name": other})):
        for changes in ({}, {"seed": 1}, {"method": {"name": "full"}}):
            rate = {"training": {"learning_rate": 1e-3}} if "method" in changes else {}
            record = run(spec.updated(**changes, **rate), folder / "results")
            assert record.status == "ok", record.reason
    return folder / "results"


def merge(results: Path, mix: str, method: str = "lora", seed: int = 0) -> list[Record]:
    """The merged runs of both tasks."""
    words = ("soup", "--over", "tasks", "--mix", mix, "--where", f"method={method}", "--results", str(results))
    CliRunner().invoke(app, words, catch_exceptions=False)
    name = f"soup({method}*three.parquet+train.parquet,{mix})"
    found = [one for one in Store(results).records() if one.spec.method.name == name and one.spec.seed == seed]
    return sorted(found, key=lambda record: record.spec.task.name)


def own(results: Path, made: Record) -> Record:
    record = Store(results).find(made.members[0])
    assert record
    return record


def tensors(results: Path, run_id: str) -> dict[str, Tensor]:
    (path,) = (results / "runs" / run_id / "adapter").glob("*.safetensors")
    return load_file(path)


def is_head(name: str) -> bool:
    return "classifier" in name or "pooler" in name


@pytest.mark.parametrize("mix", ["uniform", "ties", "dare"])
def test_one_trunk_for_all_tasks_and_a_head_for_each(mix: str, results: Path) -> None:
    made = merge(results, mix)
    assert len(made) == 2
    one, other = (tensors(results, record.run_id) for record in made)
    shared = [name for name in one if not is_head(name)]
    assert len(shared) > 10
    assert all(torch.equal(one[name], other[name]) for name in shared)
    for record, mixed in zip(made, (one, other), strict=True):
        before = tensors(results, own(results, record).run_id)
        heads = [name for name in mixed if is_head(name)]
        assert heads
        assert all(torch.equal(mixed[name], before[name]) for name in heads)
        assert any(not torch.equal(mixed[name], before[name]) for name in shared)
        assert record.spec.task == own(results, record).spec.task
        assert record.data.sizes == own(results, record).data.sizes


def test_a_uniform_one_is_the_mean(results: Path) -> None:
    made = merge(results, "uniform")
    stored = [tensors(results, own(results, record).run_id) for record in made]
    for name, mixed in tensors(results, made[0].run_id).items():
        if not is_head(name):
            torch.testing.assert_close(mixed, torch.stack([one[name] for one in stored]).mean(0))


def test_ties_is_pefts_own_merging(results: Path, tmp_path: Path) -> None:
    """``add_weighted_adapter`` on the members' files gives the same update of every layer."""
    made = merge(results, "ties")
    folders = [results / "runs" / own(results, record).run_id / "adapter" for record in made]
    base = AutoModelForSequenceClassification.from_pretrained(own(results, made[0]).spec.base.name)
    model = PeftModel.from_pretrained(base, bare(folders[0], tmp_path / "one"), adapter_name="one")
    model.load_adapter(bare(folders[1], tmp_path / "other"), adapter_name="other")
    model.add_weighted_adapter(["one", "other"], [1.0, 1.0], "merged", combination_type="ties", density=0.2)
    updates: dict[str, Tensor] = {
        name: layer.get_delta_weight("merged") for name, layer in model.named_modules() if hasattr(layer, "lora_A")
    }
    mixed = tensors(results, made[0].run_id)
    scaling = next(layer.scaling["one"] for layer in model.modules() if hasattr(layer, "lora_A"))
    assert len(updates) > 5
    for name, expected in updates.items():
        block = name.partition("encoder.")[2]
        a, b = (next(v for k, v in mixed.items() if f"encoder.{block}.lora_{part}." in k) for part in "AB")
        torch.testing.assert_close(scaling * b @ a, expected, rtol=1e-4, atol=1e-7)


def bare(folder: Path, to: Path) -> Path:
    """The adapter without its head, as peft loads it."""
    to.mkdir()
    config = json.loads((folder / "adapter_config.json").read_text())
    (to / "adapter_config.json").write_text(json.dumps(config | {"modules_to_save": None, "task_type": None}))
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: value for name, value in weights.items() if not is_head(name)}, to / "adapter_model.safetensors")
    return to


def test_each_task_is_asked(results: Path) -> None:
    """Its metrics are those of its own stored answers; it answers in its own labels; it costs what all members did."""
    for record in merge(results, "uniform"):
        folder = results / "runs" / record.run_id
        rows = pq.read_table(folder / "predictions.parquet").to_pylist()
        right = [row["prediction"] == row["target"] for row in rows if row["split"] == "test"]
        assert record.metrics["test/accuracy"] == pytest.approx(np.mean(right))
        assert len(right) == record.data.sizes["test"]
        labels = {answer["prediction"] for answer in predict_texts(record.run_id, TEXTS, results)}
        assert labels <= set(map(str, record.task["labels"]))
        members = [Store(results).find(member) for member in record.members]
        assert record.cost.train_seconds == pytest.approx(sum(one.cost.train_seconds for one in members if one))
        assert record.params.trainable == own(results, record).params.trainable


def test_of_full_fine_tuning_the_updates_are_merged(results: Path) -> None:
    """Half of the sum of what each task added to the base."""
    made = merge(results, "uniform", "full")
    base = load_file(Path(made[0].spec.base.name) / "model.safetensors")
    name = next(name for name in base if name.endswith("layer.0.attention.self.query.weight"))
    stored = [tensors(results, own(results, record).run_id) for record in made]
    found = [next(v for k, v in one.items() if k.endswith(name)) for one in (*stored, tensors(results, made[0].run_id))]
    torch.testing.assert_close(found[2] - base[name], sum(one - base[name] for one in found[:2]) / 2)


def test_what_cannot_be_merged_is_told(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="chosen on the validation examples of one task"):
        merge(results, "greedy")
    records = [one for one in Store(results).records() if not one.members]
    one_task = [one for one in records if one.spec.task.name == records[0].spec.task.name]
    assert list(over_tasks(group(one_task, layout_of_all(one_task)))) == []
    limited = one_task[0].model_copy(
        update={"run_id": "f" * 12, "spec": one_task[0].spec.updated(task={"train_limit": 8})}
    )
    with pytest.raises(SpecError, match=r"differ in .*task.train_limit.*keep one kind with --where"):
        list(over_tasks(group([*records, limited], layout_of_all([*records, limited]))))


def test_each_seed_has_its_own(results: Path) -> None:
    made: list[Any] = [merge(results, "uniform", seed=seed) for seed in (0, 1)]
    assert [len(one) for one in made] == [2, 2]
    assert {record.spec.seed for one in made for record in one} == {0, 1}
