"""The axis of recipes."""

import pytest

from harness.core.errors import SpecError
from harness.core.spec import asked_for
from harness.suites.suite import expand, parse_suite

SMALL = {"tasks": ["sst2"], "methods": {"lora": {}, "zero_shot": {}}}


def test_every_trained_method_runs_with_every_point() -> None:
    axis = {"recipes": ["none", "fgm", ["ema", "label-smoothing"]], "recipe": {"fgm": {"epsilon": 2.0}}}
    cells = expand(parse_suite(SMALL | axis))
    assert [cell.label for cell in cells] == ["lora", "lora+fgm", "lora+ema+label_smoothing", "zero_shot"]
    assert cells[1].spec.recipes[0].settings == {"epsilon": 2.0}
    assert cells[2].spec.recipe == "ema+label_smoothing"


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ({"recipes": ["fgmm"]}, "did you mean 'fgm'"),
        ({"recipe": {"fgm": {"epsilon": 1.0}}}, "recipe.fgm: no such recipe in this suite"),
        ({"recipes": ["fgm"], "recipe": {"fgm": {"epsilo": 1.0}}}, "did you mean 'epsilon'"),
        ({"recipes": [["fgm", "fgm"]]}, "named twice"),
        ({"recipes": []}, "recipes is empty"),
        ({"recipes": [["none", "fgm"]]}, "recipe none stands alone"),
    ],
)
def test_what_is_wrong_is_told(axis: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_suite(SMALL | axis)


def test_none_is_no_recipe_on_the_command_line_too() -> None:
    named = {"task": {"name": "sst2"}, "method": {"name": "lora"}}
    assert asked_for(named, (), recipes=["none"]) == asked_for(named, ())
    with pytest.raises(SpecError, match="recipe none stands alone; got none, fgm"):
        asked_for(named, (), recipes=["none", "fgm"])
