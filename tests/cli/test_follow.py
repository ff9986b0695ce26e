"""How a cell that ended is told of."""

from harness.cli.follow import told
from harness.core.spec import parse_spec
from harness.executor import Event, Job
from harness.storage.record import Record
from tests.synthetic import make_record


def test_a_cell_is_told_of_by_its_label_and_recipes() -> None:
    record = Record.model_validate(make_record("lora", 3, label="my lora"))
    status, line = told(Event(Job(record.run_id, record.spec), record))
    assert status == "ok"
    assert f"ok {record.run_id} my lora sst2 minilm none seed 3: accuracy " in line
    trained = record.spec.model_dump(mode="json") | {"recipes": [{"name": "fgm"}, {"name": "ema"}]}
    other = record.model_copy(update={"spec": parse_spec(trained), "label": ""})
    assert " lora with fgm+ema sst2 " in told(Event(Job(other.run_id, other.spec), other))[1]
