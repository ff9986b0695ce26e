"""Where a run was computed."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.measure.hardware import cpu_model

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "tokenizers", "numpy")


def environment(precision: str) -> dict[str, Any]:
    """Versions, python, platform, processor, threads, accelerator, precision, git commit and dirty flag."""
    import torch

    return {
        "versions": {name: package_version(name) for name in ("adaptation-harness", *PACKAGES)},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "precision": precision,
        **git_state(),
    }


def package_version(name: str) -> str:
    """The installed version, or 'missing'."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


@cache
def git_state() -> dict[str, Any]:
    """Commit of the harness's checkout and whether tracked files differ from it; None where it is no checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str | None:
        # GIT_CEILING_DIRECTORIES: an installed package must not report the repository it happens to lie in.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, env=environment
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": git("rev-parse", "HEAD"), "git_dirty": None if status is None else bool(status)}
