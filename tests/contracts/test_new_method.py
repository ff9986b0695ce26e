"""A new plug-in is one file: what the README teaches passes the contracts that ship, on all bases and precisions."""

from pathlib import Path

from tests import readme
from tests.installed import install, python

CONTRACTS = """
from harness.testing.method import MethodContract


class TestBitFit(MethodContract):
    plugin = "bitfit"
"""


def test_the_readmes_method_keeps_to_the_contract(tmp_path: Path) -> None:
    modules = {"bitfit.py": readme.example("methods/bitfit.py"), "test_bitfit.py": CONTRACTS}
    site = install(tmp_path / "site", "newcomer", modules, {"harness.methods": {"bitfit": "newcomer.bitfit"}})
    assert "bitfit" in python(site, "harness", "list", "methods").stdout
    done = python(site, "pytest", "-q", "-p", "no:cacheprovider", "newcomer/test_bitfit.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "failed" not in done.stdout
