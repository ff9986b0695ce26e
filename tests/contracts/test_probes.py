"""Every registered probe keeps to the contract that ships."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.core.spec import RunSpec
from harness.probe import PROBES
from harness.testing import contracts
from harness.testing.probe import ProbeContract
from harness.testing.snapshots import save_snapshot, tiny_spec

GENERAL = Path(__file__).parents[1] / "probes" / "general.csv"
OWN = {"exposure", "forgetting", "checklist", "groups", "perplexity", "privacy", "stereotypes"}
"""Probes that need more than a tiny run has by default."""


class InOneFolder(ProbeContract):
    """The run without a probe is made once for all."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, shared_folder: Path) -> Path:
        return shared_folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probes")


globals().update(contracts(InOneFolder, [name for name in PROBES.names() if name not in OWN]))


class TestForgetting(InOneFolder):
    plugin = "forgetting"
    settings: ClassVar[Mapping[str, Any]] = {"text": f"{GENERAL}?text=text&target=kind", "n_tokens": 8}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, folder: Path) -> RunSpec:
        base = save_snapshot("encoder", folder / "masked", has_mask_head=True)
        return tiny_spec(folder, base={"name": str(base)})


class TestGroups(InOneFolder):
    plugin = "groups"
    settings: ClassVar[Mapping[str, Any]] = {
        "patterns": {"with": r"\bwith\b", "without": r"^((?!\bwith\b).)*$"},
        "least": 2,
    }


class TestStereotypes(ProbeContract):
    plugin = "stereotypes"
    settings: ClassVar[Mapping[str, Any]] = {"n_sentences": 4}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, folder: Path) -> RunSpec:
        base = save_snapshot("decoder", folder / "decoder")
        # The tiny base knows hardly a word: sentences are of unknown tokens, which have likelihoods too.
        return tiny_spec(folder, base={"name": str(base)})


class TestPerplexity(TestStereotypes):
    plugin = "perplexity"
    settings: ClassVar[Mapping[str, Any]] = {}


class TestChecklist(InOneFolder):
    plugin = "checklist"
    settings: ClassVar[Mapping[str, Any]] = {"file": str(GENERAL.parent / "checks.jsonl")}


class TestPrivacy(ProbeContract):
    plugin = "privacy"

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, folder: Path) -> RunSpec:
        """Only a private training has spent anything."""
        return tiny_spec(folder, method={"name": "lora"}, recipes=[{"name": "dp_sgd"}])


class TestExposure(ProbeContract):
    plugin = "exposure"
    settings: ClassVar[Mapping[str, Any]] = {"n_texts": 8}

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, folder: Path) -> RunSpec:
        """Only what was planted can be exposed."""
        return tiny_spec(folder, method={"name": "lora"}, recipes=[{"name": "canaries", "number": 3}])


@pytest.mark.usefixtures("examples")
class TestExample(ProbeContract):
    plugin = "energy"
