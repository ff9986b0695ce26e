"""Where rows come from: the order of sources, what each refuses, and the answer when none has the task."""

import hashlib
import time
import zipfile
from pathlib import Path

import pytest

from harness import data
from harness.core.errors import SourceError
from harness.core.spec import TaskSpec
from harness.data import sources
from harness.data.tasks import find_task
from harness.task import Hub, PackageAsset
from tests.hub_schema import SCHEMAS, write_split

SST2 = SCHEMAS["nyu-mll/glue", "sst2"]
ROWS = [{"sentence": f"sentence {n}", "label": n % 2, "idx": n} for n in range(40)]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror, and a hub out of reach."""
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    monkeypatch.setattr(sources, "hub_problem", lambda: "https://hub can't be reached (no network)")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with SST-2; returns the folder of its files."""
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "mirror"))
    folder = tmp_path / "mirror" / "nyu-mll" / "glue" / "sst2"
    write_split(folder / "train.parquet", ROWS, SST2)
    write_split(folder / "validation.parquet", [{**r, "sentence": f"v {r['idx']}"} for r in ROWS], SST2)
    return folder


def test_a_path_comes_before_the_mirror(mirror: Path, tmp_path: Path) -> None:
    write_split(tmp_path / "own" / "train.parquet", ROWS[:30], SST2)
    _, info = data.load(find_task("sst2"), TaskSpec(name="sst2", path=str(tmp_path / "own")), 0)
    assert (info.source, info.protocol) == (f"path {tmp_path / 'own'}", "carved")
    assert info.sizes == {"train": 22, "validation": 2, "test": 6}


def test_a_mirror_comes_before_the_hub_and_the_asset(mirror: Path) -> None:
    assert sources.read(find_task("sst2")).place == "mirror nyu-mll/glue/sst2"
    with_asset = find_task("sst2").model_copy(update={"asset": find_task("boolq").asset})
    assert sources.read(with_asset).place == "mirror nyu-mll/glue/sst2"


def test_a_path_without_data_is_not_replaced_by_another_source(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"task\.path: .*train\.parquet does not exist"):
        sources.read(find_task("sst2"), str(tmp_path / "nothing"))


def test_when_no_source_has_it_each_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    with pytest.raises(SourceError) as caught:
        sources.read(find_task("cola"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "no source has the examples of cola; tried in this order:"
    assert [line.strip().split(":")[0] for line in lines[1:5]] == ["path", "mirror", "hub", "package asset"]
    assert "cola has no train.parquet, validation.parquet" in lines[2]
    assert "https://hub can't be reached (no network)" in lines[3]
    assert lines[4].endswith("this task has none")
    assert lines[5].startswith("tasks that need no hub: bbc_news, boolq,")


def test_a_truncated_mirror_file_is_an_error_not_a_reason_to_go_on(mirror: Path) -> None:
    file = mirror / "train.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"train\.parquet can't be read as parquet"):
        sources.read(find_task("sst2"))


def test_an_incomplete_mirror_is_an_error(mirror: Path) -> None:
    (mirror / "validation.parquet").unlink()
    with pytest.raises(SourceError, match=r"incomplete: validation\.parquet missing"):
        sources.read(find_task("sst2"))


def test_other_label_names_are_an_error(mirror: Path) -> None:
    swapped = find_task("sst2").model_copy(update={"labels": ("positive", "negative")})
    with pytest.raises(SourceError, match=r"labels of 'label' are negative, positive; task sst2 has positive, neg"):
        sources.read(swapped)


def test_label_names_of_tags_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    rows = [{"id": "0", "tokens": ["Anna"], "ner_tags": [9]}]
    for split in ("train", "validation", "test"):
        write_split(
            tmp_path / "leondz/wnut_17/default" / f"{split}.parquet", rows, SCHEMAS["leondz/wnut_17", "default"]
        )
    sources.read(find_task("wnut17"))
    renamed = find_task("wnut17").model_copy(update={"labels": ("O", *find_task("wnut17").labels[:0:-1])})
    with pytest.raises(SourceError, match="labels of 'ner_tags'"):
        sources.read(renamed)


def test_a_missing_column_names_the_nearest(mirror: Path) -> None:
    renamed = find_task("sst2").model_copy(update={"text": ("sentences",), "templates": ()})
    with pytest.raises(SourceError, match=r"no column 'sentences' \(did you mean 'sentence'\?\); it has sentence, lab"):
        data.load(renamed, TaskSpec(name="sst2"), 0)


def test_the_hub_library_reads_what_the_mirror_reads(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``load_dataset`` on a local folder takes the way of a hub data set, without the download."""
    monkeypatch.setattr(sources, "hub_problem", lambda: None)
    local = find_task("sst2").model_copy(update={"hub": Hub(str(mirror), validation="validation")})
    from_mirror = sources.read(find_task("sst2"))
    monkeypatch.delenv("HARNESS_DATA_DIR")
    from_hub = sources.read(local)
    assert from_hub.place == f"hub {mirror}/default"
    assert from_hub.splits == from_mirror.splits
    swapped = local.model_copy(update={"labels": ("positive", "negative")})
    with pytest.raises(SourceError, match="the labels of 'label' are negative, positive"):
        sources.read(swapped)


def test_an_unknown_data_set_on_the_hub_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "hub_problem", lambda: None)
    nowhere = find_task("sst2").model_copy(update={"hub": Hub(str(tmp_path / "nothing"))})
    with pytest.raises(SourceError, match=r"hub: .*nothing: \w+Error: "):
        sources.read(nowhere)


def test_a_hub_out_of_reach_costs_one_short_question(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from harness.fetching import hub

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    hub.hub_problem.cache_clear()
    start = time.perf_counter()
    assert "http://127.0.0.1:9 can't be reached" in (hub.hub_problem() or "")
    assert time.perf_counter() - start < 2 * hub.TIMEOUT_SECONDS
    hub.hub_problem.cache_clear()


def test_an_asset_is_data_read_from_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "cache" / "wheels"
    wheels.mkdir(parents=True)
    with zipfile.ZipFile(wheels / "some_data-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("some_data/sentences.txt", "\n".join(row["sentence"] for row in ROWS))
    sha256 = hashlib.sha256((wheels / "some_data-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))

    def read(wheel: Path) -> dict:
        lines = zipfile.ZipFile(wheel).read("some_data/sentences.txt").decode().splitlines()
        return {"train": [{"sentence": line, "label": n % 2} for n, line in enumerate(lines)]}

    packaged = find_task("sst2").model_copy(update={"asset": PackageAsset("some-data", "1.0", sha256, read)})
    _, info = data.load(packaged, TaskSpec(name="sst2"), 0)
    assert (info.source, info.protocol, sum(info.sizes.values())) == ("asset some-data 1.0", "carved", 40)
