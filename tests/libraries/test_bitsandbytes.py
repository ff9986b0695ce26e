"""Importing the harness before bitsandbytes keeps a hub's kernels out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.measure.hardware import cpu_flags

IMPORTS = "import bitsandbytes.backends.cpu.ops, transformers, peft"


@pytest.mark.skipif("avx512_bf16" not in cpu_flags(), reason="bitsandbytes asks the hub on processors with bf16 only")
@pytest.mark.parametrize("guard", ["", "import harness; "], ids=["alone", "with the harness"])
def test_no_kernel_is_fetched(guard: str, tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text("print('asked for')\ndef get_kernel(*names, **options): raise OSError\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", guard + IMPORTS]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert ("asked for" in done.stdout) == (guard == "")
    assert "gemm_4bit_forward" not in done.stderr or not guard
