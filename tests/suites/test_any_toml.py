"""Whatever a suite file holds: a suite, or a message that names the field."""

import datetime
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import SpecError
from harness.search.spec import SearchSpec
from harness.suites.suite import SECTIONS, Suite, expand, parse_suite

NAMES = st.sampled_from(
    ["lora", "full", "minilm", "sst2", "none", "4bit", "quality", "tpe", "default", "", " ", "x", "\x00", "a" * 300]
)
SCALARS = st.one_of(
    NAMES,
    st.integers(-2, 2**70),
    st.floats(),
    st.booleans(),
    st.just(datetime.date(2026, 1, 1)),
    st.just(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
)
FIELDS = sorted({name for section in [*SECTIONS.values(), SearchSpec] for name in section.model_fields})
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=5,
)
SECTION = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3)
METHOD = st.dictionaries(st.sampled_from(["name", "rank", *SECTIONS]), ANYTHING | SECTION, max_size=3)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "bases": st.just(["minilm"]),
    "tasks": st.just(["sst2"]),
    "seeds": st.just([0, 1]),
    "methods": st.dictionaries(NAMES, METHOD, max_size=2) | st.just({"lora": {"rank": 4}}),
    "search": SECTION,
    **dict.fromkeys(SECTIONS, SECTION),
}
DATA = st.fixed_dictionaries(
    {}, optional={name: GOOD.get(name, ANYTHING) | ANYTHING for name in [*Suite.model_fields, "unknown"]}
)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DATA)
def test_a_suite_or_a_message(data: dict[str, Any]) -> None:
    with suppress(SpecError):
        assert expand(parse_suite(data))


SMALL = {"tasks": ["sst2"], "methods": {"lora": {}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worth_claiming": ["a"]}, "worth_claiming.default: "),
        ({"worth_claiming": "a"}, "worth_claiming.default: "),
        ({"worth_claiming": {"default": float("nan")}}, "worth_claiming.default: "),
        ({"worth_claiming": {"sst2": {"a": 1}}}, "worth_claiming.sst2: "),
        ({"search": 1}, "search "),
        ({"search": {"trials": 1, "objectives": 1}}, "search.objectives: "),
        ({"search": {"trials": 1, "seeds": "a"}}, "search.seeds: "),
        ({"methods": []}, "methods: "),
        ({"methods": "lora"}, "methods: "),
        ({"methods": {"lora": "x"}}, "methods.lora: "),
        ({"methods": {"lora": {"name": 1}}}, "methods.lora.name "),
        ({"methods": {"lora": {"rank": "many"}}}, "methods.lora: method.rank: "),
        ({"methods": {"lora": {"training": 3}}}, "methods.lora.training "),
        ({"methods": {"lora": {"training": {"epochs": "x"}}}}, "methods.lora.training.epochs: "),
        ({"seeds": "a"}, "seeds: "),
        ({"seeds": [0, "a"]}, "seeds.1: "),
        ({"seeds": [[0]]}, "seeds.0: "),
        ({"seeds": 1}, "seeds: "),
        ({"tasks": "sst2"}, "tasks: "),
        ({"tasks": [1]}, "tasks.0: "),
        ({"tasks": [{"name": "sst2"}]}, "tasks.0: "),
        ({"bases": {"name": "minilm"}}, "bases: "),
        ({"quantizations": [8]}, "quantizations.0 "),
        ({"training": [1]}, "training: "),
        ({"training": {"epochs": {"a": 1}}}, "training.epochs: "),
        ({"formulation": ["head"]}, "formulation: "),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_types_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_suite({**SMALL, **changes})
    assert any(line.startswith(message) for line in str(error.value).splitlines()), str(error.value)
