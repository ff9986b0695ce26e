"""Prompt templates take columns of any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import template


@given(st.text(), st.text(), st.text())
def test_any_column_and_any_text(column: str, text: str, before: str) -> None:
    written = before.replace("{", "{{").replace("}", "}}") + template.place(column)
    assert template.columns(written) == [column]
    assert template.fill(written, {column: text}) == before + text


@pytest.mark.parametrize("written", ["{a} is {{b}}", "{{{a}}}: {a}", "{a}{{", "plain"])
def test_plain_names_are_filled_in_as_python_does(written: str) -> None:
    assert template.fill(written, {"a": "x {y}"}) == written.format(a="x {y}")


@pytest.mark.parametrize("written", ["{a", "a}", "{a}}", "{{a}", "{a{b}}"])
def test_a_brace_that_belongs_to_no_place(written: str) -> None:
    with pytest.raises(ValueError, match="a single"):
        template.columns(written)
