"""Costs of answers, arithmetic and energy, against clocks, formulas and counters whose readings are known."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import Unsupported
from harness.measure import energy
from harness.probe import PROBES, Served, Subject
from harness.probes._flops import counted_answer, counted_step
from harness.runs.run import run
from harness.storage.predictions import read_answers
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured


def test_latency_is_what_a_pass_takes(make_spec: MakeSpec) -> None:
    """A model that sleeps 20 ms in each pass: so long an answer takes, and a batch of 8 hardly longer."""
    subject = examined(make_spec("last_layers"))

    def served(*, merged: bool = False) -> Served:
        if merged:
            raise Unsupported("no")
        made = subject.served()
        made.model.register_forward_pre_hook(lambda *_: time.sleep(0.02))
        return made

    found = measured(replace(subject, served=served), "serving", n_requests=6, n_batches=2)
    assert found["latency_p50_seconds"].value > 0.02
    assert found["latency_p50_seconds"].value <= found["latency_p95_seconds"].value
    assert found["answers_per_second_batch_1"].value < 50
    assert found["answers_per_second_batch_8"].value > 2 * found["answers_per_second_batch_1"].value
    assert not [name for name in found if name.startswith("merged")]


@pytest.mark.parametrize("method", ["lora", "prefix", "zero_shot"])
def test_what_is_served_answers_as_the_run_did(method: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    """From its files, merged where the method can, without the cache of frozen blocks."""
    record = run(make_spec(method, "decoder", training={"learning_rate": 1e-2, "precision": "fp32"}), tmp_path)
    folder = tmp_path / "runs" / record.run_id
    subject = examined(record.spec, adapter=folder / "adapter" if (folder / "adapter").exists() else None)
    stored = read_answers(str(folder / "predictions.parquet"), "test", {"scores"})
    assert stored is not None
    for merged in (False, True):
        if merged and method == "prefix":
            with pytest.raises(Unsupported):
                subject.served(merged=True)
            continue
        served = subject.served(merged=merged)
        rows = served.formulation.encode(subject.splits["test"][:6])
        with torch.no_grad(), served.formulation.answering(served.model, rows):
            batch = served.formulation.collate(rows, "cpu")  # type: ignore[arg-type]
            scores = [answer.scores for answer in served.formulation.answer(served.model, batch)]
        np.testing.assert_allclose(scores, stored.scores[:6], atol=1e-4)  # type: ignore[index]


def test_operations_are_those_of_the_formula(make_spec: MakeSpec) -> None:
    """Two for each weight of the blocks and token, four for attention's products, and the head's."""
    subject = examined(make_spec("full", speed={"first_token": False}))
    example = subject.splits["test"][0]
    served = subject.served()
    tokens = len(served.formulation.encode([example])[0].sequences[0])
    weights = sum(p.numel() for name, p in served.model.named_parameters() if p.dim() == 2 and ".layer." in name)
    hidden, blocks, labels = 32, 3, 2
    head = 2 * (hidden * hidden + hidden * labels)  # pooler and classifier, of one token
    forward = 2 * weights * tokens + blocks * 4 * tokens**2 * hidden + head
    assert counted_answer(served, example) == forward
    flops, seconds = counted_step(served, example)
    assert flops == 3 * forward  # backward is twice forward
    assert seconds > 0


def test_frozen_weights_cost_less_to_learn_with(make_spec: MakeSpec) -> None:
    found = {name: measured(examined(make_spec(name)), "work", n_examples=4) for name in ("full", "last_layers")}
    assert found["last_layers"]["learning_flops"].value < 0.8 * found["full"]["learning_flops"].value
    assert found["full"]["answer_flops"].value == found["last_layers"]["answer_flops"].value
    assert 0 < found["full"]["learning_utilization_ratio"] < 1
    assert "learning_flops" not in measured(examined(make_spec("zero_shot", "decoder")), "work", n_examples=2)


def package(folder: Path, name: str, value: int) -> Path:
    made = folder / name
    made.mkdir()
    (made / "max_energy_range_uj").write_text("999\n")
    (made / "energy_uj").write_text(f"{value}\n")
    return made


def test_counters_are_added_over_packages_and_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = package(tmp_path, "intel-rapl:0", 900), package(tmp_path, "intel-rapl:1", 0)
    package(tmp_path, "intel-rapl:0:0", 5)  # a part of the first
    found = energy.counters(tmp_path)
    assert len(found) == 2
    (first / "energy_uj").write_text("100")  # 200 after a round of 1000
    (second / "energy_uj").write_text("50")
    assert sum(counter.joules() for counter in found) == pytest.approx(250e-6)
    (second / "energy_uj").write_text("60")
    monkeypatch.setattr(energy, "counters", lambda: found)
    assert energy.joules(10.0) == pytest.approx(260e-6)


def test_an_estimate_is_time_at_a_power_and_called_so(make_spec: MakeSpec, tmp_path: Path) -> None:
    assert energy.counters(tmp_path) == []
    if energy.has_counters():
        pytest.skip("this machine measures")
    watts = 20.0
    record = run(make_spec("lora", probes=[{"name": "consumption", "watts": watts, "grams_per_kwh": 360}]), tmp_path)
    joules = record.measured["run_joules_estimated"]
    assert "run_joules" not in record.measured
    assert 0 < record.measured["train_joules_estimated"] < joules
    # Some libraries have threads of their own: no more than two cores were busy all the time.
    assert joules <= watts * record.cost.total_seconds * 2
    assert record.measured["carbon_grams_estimated"] == pytest.approx(joules * 360 / 3.6e6)


def test_every_phase_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    monkeypatch.setattr(energy, "joules", lambda watts: next(clock))
    monkeypatch.setattr(energy, "has_counters", lambda: True)
    probe: Any = PROBES.make("consumption")
    with probe.during("run"), probe.during("train"), probe.during("eval"):
        pass
    # run 0 to 1, train 1 to 3, eval 3 to 7, train 7 to 15, run 15 to 31
    assert probe.spent()["run_joules"] == 31
    assert probe.spent()["train_joules"] == 10


class Driver:
    """As pynvml answers on a GPU whose counter has been read so often, in millijoules."""

    def __init__(self, readings: list[int]) -> None:
        self._readings = iter(readings)

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, device: str) -> int:
        assert device == "GPU-1"
        return next(self._readings)


def test_a_gpu_counts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Millijoules since any beginning, by phase; carbon of the two adds up."""
    counter = energy.GpuCounter(Driver([5, 1000, 3000, 9000, 17000]), "GPU-1")
    monkeypatch.setattr(energy, "gpu_counter", lambda: counter)
    probe: Any = PROBES.make("consumption", {"grams_per_kwh": 3600})
    with probe.during("run"), probe.during("train"):
        pass
    found = probe.spent()
    assert (found["run_gpu_joules"], found["train_gpu_joules"]) == (16, 6)  # run 1 to 3 and 9 to 17, train 3 to 9
    assert found["gpu_carbon_grams_estimated"] == pytest.approx(0.016)


def test_without_a_gpu_its_energy_is_left_out(make_spec: MakeSpec, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert energy.gpu_counter() is None
    record = run(make_spec("zero_shot", "decoder", probes=[{"name": "consumption"}]), tmp_path)
    assert not [name for name in record.measured if "gpu" in name]
    assert "run_joules" in record.measured or "run_joules_estimated" in record.measured


def test_the_counter_is_asked_as_the_library_wants() -> None:
    """Its functions are there, and a machine without a driver is an error of theirs."""
    pynvml = pytest.importorskip("pynvml")
    assert pynvml.nvmlDeviceGetTotalEnergyConsumption
    assert pynvml.nvmlDeviceGetHandleByUUID
    if not torch.cuda.is_available():
        with pytest.raises(pynvml.NVMLError):
            energy.GpuCounter(pynvml, "GPU-1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_busy_gpu_uses_energy() -> None:
    counter = energy.gpu_counter()
    if counter is None:
        pytest.skip("no counter or no nvidia-ml-py")
    before, started = counter.joules(), time.perf_counter()
    busy = torch.randn(4096, 4096, device="cuda")
    while time.perf_counter() - started < 1:
        (busy @ busy).sum().item()
    assert 5 < counter.joules() - before < 2000  # of one second; an idle one takes 10 W or more


def test_a_subject_is_looked_at_and_left_alone(make_spec: MakeSpec) -> None:
    subject: Subject = examined(make_spec("lora"))
    before = {name: value.clone() for name, value in subject.model.state_dict().items()}
    measured(subject, "serving", n_requests=5, n_batches=2)
    assert all((before[name] == value).all() for name, value in subject.model.state_dict().items())
