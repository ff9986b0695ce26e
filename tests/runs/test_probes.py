"""Probes of a run: asked without disturbing it, and shown wherever quantities are."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.core.errors import SpecError, Unsupported
from harness.core.spec import chosen
from harness.formulation import Answer, Row
from harness.probe import PROBES, find_quantities, quantities
from harness.runs.predict import Judged
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.search.plan import make_plan
from harness.search.spec import parse_search
from harness.storage.measured import MEASURED, read_examples
from harness.storage.record import Record
from harness.task import TASKS, Example
from tests.conftest import MakeSpec, Register

HOOKS = ("during", "before", "after", "spent")

PROBE = '''"""A probe."""
import random
from contextlib import contextmanager
from typing import ClassVar
import numpy as np
import torch
from pydantic import Field
from harness.probe import Probe, Quantity

class Toy(Probe):
    """Look at everything, and leave a mess."""
    source: ClassVar[str] = "nobody"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("toy_score", "a toy", higher_is_better=True), Quantity("toy_joules", "another", "J"))
    factor: float = Field(1.0, gt=0, description="Times this.")

    @contextmanager
    def during(self, phase):
        torch.rand(3), random.random(), np.random.rand()
        {during}
        yield

    def before(self, subject):
        torch.rand(3)
        examples = subject.splits["test"]
        assert subject.score(subject.answer(examples)) >= 0
        assert not subject.answers
        ids = torch.tensor([[2, 8, 3]])
        subject.model.train()(input_ids=ids).logits.sum().backward()
        {before}

    def after(self, subject):
        answers = subject.answers["test"]
        again = subject.answer(subject.splits["test"])
        assert again.predictions.tolist() == answers.predictions.tolist()
        assert np.array_equal(again.scores, answers.scores)
        {after}
        return {{"toy_score": self.factor * subject.score(answers)}}

    def spent(self):
        {spent}
        return {{"toy_joules": 3}}
'''


def toy(**hooks: str) -> str:
    return PROBE.format(**{"during": "pass", "before": "pass", "after": "pass", "spent": "pass"} | hooks)


@pytest.fixture
def spec(make_spec: MakeSpec) -> Any:
    return lambda **sections: make_spec("lora", training={"epochs": 2}, **sections)


def predictions(record: Record, results: Path) -> Any:
    return pq.read_table(results / "runs" / record.run_id / "predictions.parquet")


def test_a_messy_probe_changes_nothing(spec: Any, register: Register, tmp_path: Path) -> None:
    register("probes", "toy", toy())
    plain = run(spec(), tmp_path)
    probed = run(spec(probes=[{"name": "toy", "factor": 2}]), tmp_path)
    assert probed.measured == {"toy_score": 2 * probed.metrics["test/accuracy"], "toy_joules": 3.0}
    assert not probed.measured_reasons
    assert predictions(plain, tmp_path) == predictions(probed, tmp_path)
    assert plain.metrics == probed.metrics
    assert plain.params == probed.params
    for record in (plain, probed):
        cost = record.cost
        assert min(cost.load_seconds, cost.train_seconds, cost.eval_seconds, cost.tokenize_seconds) > 0
        assert cost.total_seconds > cost.train_seconds + cost.eval_seconds
        assert cost.peak_memory_bytes.eval > 0


@pytest.mark.parametrize(
    ("hooks", "reason"),
    [
        *[
            ({hook: "raise OSError('no meter')"}, "OSError: no meter")
            for hook in ("during", "before", "after", "spent")
        ],
        ({"after": "return {'toy_scores': 1}"}, "'toy_scores' is none of its quantities"),
        ({"spent": "return {'toy_joules': float('nan')}"}, "toy_joules is nan"),
    ],
)
def test_a_probe_that_fails_fails_alone(
    hooks: dict[str, str], reason: str, spec: Any, register: Register, tmp_path: Path, capsys: Any
) -> None:
    from harness.cli.run import print_record

    register("probes", "toy", toy(**hooks))
    record = run(spec(probes=[{"name": "toy"}]), tmp_path)
    assert record.status == "ok"
    assert not record.measured
    assert record.measured_reasons.keys() == {"toy_score", "toy_joules"}
    assert reason in record.measured_reasons["toy_score"]
    assert record.cost.train_seconds > 0
    print_record(record, tmp_path)
    assert reason in capsys.readouterr().out


def test_what_a_failed_run_spent_is_known(spec: Any, register: Register, tmp_path: Path) -> None:
    register("probes", "toy", toy())
    register("methods", "broken", "raise RuntimeError('no')")
    record = run(spec(method={"name": "broken"}, probes=[{"name": "toy"}]), tmp_path)
    assert record.status == "failed"
    assert record.measured == {"toy_joules": 3.0}
    assert record.cost.total_seconds > 0


def test_a_probe_skips_itself_and_not_the_run(spec: Any, register: Register, tmp_path: Path) -> None:
    skips = '    def skip(self, base, task):\n        return "not this base"\n'
    register("probes", "toy", toy().replace("    @contextmanager", skips + "\n    @contextmanager"))
    record = run(spec(probes=[{"name": "toy"}]), tmp_path)
    assert record.status == "ok"
    assert record.measured_reasons == dict.fromkeys(("toy_score", "toy_joules"), "not this base")


def test_a_standard_probe_is_in_every_run(spec: Any) -> None:
    assert resolve(spec(probes=[{"name": "time"}])) == resolve(spec())


def test_probes_are_chosen_once_and_set_up_where_chosen(spec: Any, register: Register) -> None:
    register("probes", "toy", toy())
    assert chosen("probe", ["toy"], {"toy": {"factor": 2}}) == [{"name": "toy", "factor": 2}]
    for names, settings, message in (
        (["toy", "toy"], {}, "named twice"),
        ([], {"toy": {"factor": 2}}, "probe.toy is set"),
        (["toy"], {"toi": {}}, "did you mean 'toy'"),
    ):
        with pytest.raises(SpecError, match=message):
            chosen("probe", names, settings)
    with pytest.raises(SpecError, match=r"probe\.toy\.factor: .*greater than 0; got -1"):
        resolve(spec(probes=[{"name": "toy", "factor": -1}]))
    with pytest.raises(SpecError, match=r"unknown probe 'toi' .did you mean 'toy'"):
        resolve(spec(probes=[{"name": "toi"}]))


def test_a_search_measures_what_it_aims_at(spec: Any, register: Register) -> None:
    register("probes", "toy", toy())
    search = parse_search({"trials": 2, "objectives": ["quality", "toy_score", "memory", "seconds"]})
    assert search.objectives == ("quality", "toy_score", "peak_memory_bytes", "train_seconds")
    plan = make_plan(spec(), search)
    assert [probe.name for probe in plan.spec.probes] == ["toy"]
    with pytest.raises(SpecError, match=r"search\.objectives.*did you mean 'toy_score'"):
        parse_search({"trials": 2, "objectives": ["toy_scores"]})


def test_a_probe_stands_for_all_its_quantities() -> None:
    names = [quantity.name for quantity in find_quantities(["trainable_params", "time", "train_seconds"])]
    assert names == ["trainable_params", *(quantity.name for quantity in PROBES.find("time").quantities)]
    with pytest.raises(SpecError, match=r"unknown cost 'tim' .did you mean 'time'"):
        find_quantities(["tim"])


def test_what_a_pass_cost_leaves_out_what_recipes_multiply(spec: Any, tmp_path: Path) -> None:
    """fgm takes 2.5 passes; where nothing is trained, or the recipe is gone, there is no number."""
    known, record = quantities(), run(spec(recipes=[{"name": "fgm"}]), tmp_path)
    assert known["passes"].of(record) == 2.5
    assert known["pass_seconds"].of(record) == record.cost.train_seconds / 2.5
    gone = record.model_copy(update={"spec": record.spec.updated(recipes=[{"name": "nowhere"}])})
    untrained = record.model_copy(update={"curve": []})
    for other in (gone, untrained):
        assert known["passes"].of(other) is known["pass_seconds"].of(other) is None


def test_quantities_of_one_name_are_refused(register: Register) -> None:
    register("probes", "toy", toy())
    register("probes", "toys", toy())
    with pytest.raises(Exception, match="both give toy_score"):
        quantities()


def test_unknown_quantities_of_a_record_are_ignored(spec: Any, tmp_path: Path) -> None:
    record = run(spec(), tmp_path)
    old = Record.model_validate(json.loads(record.model_dump_json(by_alias=True)) | {"measured": {"gone_grams": 1.0}})
    assert "gone_grams" not in quantities()
    assert [quantity.of(old) for quantity in find_quantities(["trainable_params"])] == [record.params.trainable]


def test_values_of_examples_are_stored_with_their_interval(spec: Any, register: Register, tmp_path: Path) -> None:
    given = 'return {"toy_score": __import__("harness.statistics.measured").statistics.measured.mean_of('
    register("probes", "toy", toy(after=f'{given}[1.0, 2.0, 3.0], ["a", "b", "c"])}}'))
    record = run(spec(probes=[{"name": "toy"}]), tmp_path)
    low, high = record.measured_intervals["toy_score"]
    assert low < record.measured["toy_score"] == 2 < high
    assert read_examples(tmp_path / "runs" / record.run_id / MEASURED, "toy_score") == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert record.cost.probe_seconds.keys() == {"toy"}
    assert 0 < record.cost.probe_seconds["toy"] < record.cost.total_seconds


def test_a_metric_that_lacks_its_scores_is_no_error_of_the_program() -> None:
    """The cell is skipped with the reason; a suite goes on."""
    task = TASKS.find("sst2").model_copy(update={"metrics": ("nll",)})
    rows = [Row(Example(str(n), {}, 0), ([1],)) for n in range(2)]
    with pytest.raises(Unsupported, match="nll needs scores"):
        Judged("test", rows, [Answer(0), Answer(1)]).metrics(task)


def test_each_run_has_probes_of_its_own(spec: Any) -> None:
    from harness.runs.probing import probes_of

    first, second = (probes_of(resolve(spec())) for _ in range(2))
    assert not {id(probe) for probe in first} & {id(probe) for probe in second}
