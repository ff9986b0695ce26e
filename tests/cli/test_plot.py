"""A figure's fields as options of its command: every kind that the contract names, typed well and wrongly."""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.figure import FIGURES, Figure

DRAWN: dict[str, Any] = {}


class Every(Figure):
    """Has a field of every kind."""

    source = "here"
    arguments: ClassVar[tuple[str, ...]] = ("first", "others")

    first: str = Field(description="A text that must be given.")
    others: tuple[int, ...] = Field(min_length=1, description="Numbers.")
    word: str | None = Field(None, description="A text.")
    share: float = Field(0.5, ge=0, le=1, description="A number.")
    n_bins: int | None = Field(None, ge=1, description="A whole number.")
    plain: bool = Field(False, description="No is what it is.")
    grid: bool = Field(True, description="Yes is what it is.")
    place: Path | None = Field(None, description="A path.")
    side: Literal["left", "right"] = Field("left", description="One of two.")
    kinds: tuple[Literal["a", "b"], ...] = Field(("a",), description="Some of two.")
    marks: tuple[str, ...] = Field(default_factory=lambda: ("x", "y"), description="Texts.")

    def draw(self, results: Path) -> Any:
        from matplotlib.figure import Figure as Drawing

        DRAWN.update(self.model_dump())
        return Drawing(figsize=(1, 1))


@pytest.fixture(autouse=True)
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIGURES._places, "every", f"{__name__}:Every")


def typed(*words: str) -> str:
    return CliRunner().invoke(app, ["plot", "every", *words], catch_exceptions=False).output


DEFAULTS = {
    "width": None,
    "first": "one",
    "others": (1,),
    "word": None,
    "share": 0.5,
    "n_bins": None,
    "plain": False,
    "grid": True,
    "place": None,
    "side": "left",
    "kinds": ("a",),
    "marks": ("x", "y"),
}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("", {}),
        ("2 --word w", {"others": (1, 2), "word": "w"}),
        ("--share 0 --n-bins 3 --plain --no-grid", {"share": 0.0, "n_bins": 3, "plain": True, "grid": False}),
        ("--place a/b --side right", {"place": Path("a/b"), "side": "right"}),
        ("--kinds b --kinds a --marks z", {"kinds": ("b", "a"), "marks": ("z",)}),
    ],
)
def test_what_is_typed_is_what_is_drawn(words: str, changes: dict[str, Any], tmp_path: Path) -> None:
    out = str(tmp_path / "f.svg")
    assert typed("one", "1", *words.split(), "--out", out).strip() == out
    assert DEFAULTS | changes == DRAWN


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--side up", "unknown --side 'up'; allowed: left, right"),
        ("--kinds a --kinds c", "unknown --kinds 'c'; allowed: a, b"),
        ("--share 2", "every.share: input should be less than or equal to 1; got 2"),
        ("--n-bins 0", "every.n_bins: input should be greater than or equal to 1; got 0"),
        ("--out f.jpg", "--out must end in .png, .pdf, .svg; got 'f.jpg'"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(words: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        typed("one", "1", *words.split())


def test_the_help_is_the_docstring_and_the_descriptions() -> None:
    shown = " ".join(typed("--help").split())
    assert "Has a field of every kind." in shown
    assert all(str(info.description) in shown for info in Every.model_fields.values())
    assert all(f"--{name.replace('_', '-')}" in shown for name in DEFAULTS if name not in Every.arguments)
    assert "[default: every.png]" in shown
