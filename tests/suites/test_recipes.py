"""The axis of recipes."""

from pathlib import Path

import pytest

from harness import benchmarks
from harness.core.errors import SpecError
from harness.core.spec import asked_for
from harness.recipe import RECIPES
from harness.suites.suite import expand, parse_suite, read_suite

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


def test_the_suite_of_recipes_has_those_that_ship() -> None:
    """But for those that its heading names."""
    path = next(Path(folder) for folder in benchmarks.__path__) / "suites" / "recipes.toml"
    left_out = {name for name in RECIPES.names() if name in path.read_text(encoding="utf-8").partition("bases =")[0]}
    compared = {name for name in read_suite(path).recipes if isinstance(name, str)} - {"none"}
    assert compared | left_out == set(RECIPES.names())
    assert len(compared) > 20


def test_none_is_no_recipe_on_the_command_line_too() -> None:
    named = {"task": {"name": "sst2"}, "method": {"name": "lora"}}
    assert asked_for(named, (), recipes=["none"]) == asked_for(named, ())
    with pytest.raises(SpecError, match="recipe none stands alone; got none, fgm"):
        asked_for(named, (), recipes=["none", "fgm"])
