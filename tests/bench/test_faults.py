"""A small version of `make faults`: no fault loses a record, counts one twice, or changes an answer."""

from pathlib import Path

import pytest

from tests.bench.faults import DAMAGES, Bench, damaging, full_disk, killed


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faults"), seed=1)


def check(bench: Bench, kind: str) -> None:
    count = bench.counts[kind]
    assert not count.problems
    assert (count.lost, count.duplicates, count.identical) == (0, 0, count.injected)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file(kind: str, bench: Bench) -> None:
    for _ in range(3):
        bench.inject(kind, damaging(bench, *DAMAGES[kind]), from_whole=True)
    check(bench, kind)
    if kind.startswith(("garbage", "record", "predictions")):
        assert bench.counts[kind].hit == 3, "damage of what results are read from is noticed"


def test_processes_that_are_killed_or_find_the_disk_full(bench: Bench) -> None:
    bench.inject("killed", killed(bench, 2), from_whole=False)
    bench.inject("killed", full_disk(bench), from_whole=False)
    check(bench, "killed")
    assert bench.counts["killed"].hit


def test_a_lost_record_and_another_answer_are_counted(bench: Bench) -> None:
    def lose(results: Path) -> None:
        next(results.glob("runs/*/record.json")).write_text("{")

    bench.inject("lost", lose, from_whole=True)
    assert bench.counts["lost"].lost == 1
    bench.expected = dict.fromkeys(bench.expected, b"")
    bench.inject("changed", lambda results: None, from_whole=True)
    assert bench.counts["changed"].identical == 0
