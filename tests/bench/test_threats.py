"""The table of threats names lines and tests that are there; `make threats` shows that each test needs its line."""

import pytest

from tests.bench.threats import ROOT, THREATS, Threat


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.through)
def test_the_line_is_there_once_and_so_is_its_test(threat: Threat) -> None:
    assert (ROOT / threat.file).read_text(encoding="utf-8").count(threat.line) == 1
    assert threat.line != threat.without
    file, _, name = threat.test.partition("::")
    assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8")
