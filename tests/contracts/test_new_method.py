"""A new plug-in is one file: what the README teaches passes the contracts that ship, on all bases and precisions."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests import readme
from tests.installed import install, python

OF_METHOD = """
from harness.testing.method import MethodContract


class TestNormScales(MethodContract):
    plugin = "norm_scales"
"""
OF_TASK = """
from harness.testing.task import TaskContract


class TestTweets(TaskContract):
    plugin = "tweets"
"""


def test_the_readmes_method_keeps_to_the_contract(tmp_path: Path) -> None:
    modules = {"norm_scales.py": readme.example("methods/norm_scales.py"), "test_norm_scales.py": OF_METHOD}
    site = install(tmp_path / "site", "newcomer", modules, {"harness.methods": {"norm_scales": "newcomer.norm_scales"}})
    assert "norm_scales" in python(site, "harness", "list", "methods").stdout
    done = python(site, "pytest", "-q", "-p", "no:cacheprovider", "newcomer/test_norm_scales.py")
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_readmes_task_keeps_to_the_contract(tmp_path: Path) -> None:
    modules = {"tweets.py": readme.example("benchmarks/tweets.py"), "test_tweets.py": OF_TASK}
    site = install(tmp_path / "site", "newcomer", modules, {"harness.benchmarks": {"tweets": "newcomer.tweets"}})
    folder = tmp_path / "mirror" / "somebody" / "tweets" / "default"
    folder.mkdir(parents=True)
    rows = [{"text": f"{'flood' if n % 2 else 'film'} number {n}", "label": n % 2} for n in range(60)]
    for split, part in (("train", rows[:40]), ("test", rows[40:])):
        pq.write_table(pa.Table.from_pylist(part), folder / f"{split}.parquet")
    mirror = str(tmp_path / "mirror")
    done = python(site, "pytest", "-q", "-p", "no:cacheprovider", "newcomer/test_tweets.py", HARNESS_DATA_DIR=mirror)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout
