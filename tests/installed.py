"""A package with entry points, as an installation leaves it: modules and a ``dist-info`` folder beside them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def install(
    folder: Path, package: str, modules: Mapping[str, str], entry_points: Mapping[str, Mapping[str, str]]
) -> Path:
    """Write the package below ``folder``, which then belongs on PYTHONPATH.

    Args:
        folder: Where site-packages would be.
        package: Its name.
        modules: File name → text.
        entry_points: What it registers.
    """
    (folder / package).mkdir(parents=True)
    for name, text in {"__init__.py": "", **modules}.items():
        (folder / package / name).write_text(text, encoding="utf-8")
    about = folder / f"{package}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n", encoding="utf-8")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in entry_points.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def python(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m …`` where the package is installed."""
    env = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env)
