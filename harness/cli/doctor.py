"""``harness doctor``: what works on this machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say_table


def doctor(
    canary: Annotated[
        bool, typer.Option("--canary", help="Also make one tiny fixed run and compare it with what it should give.")
    ] = False,
) -> None:
    """Say what works here: accelerator, 8-bit and 4-bit, bf16, hub, mirror, package assets.

    Exit code 1 if the canary's run gives something else than it did.
    """
    rows = ([name, "yes" if works else "no", detail] for name, works, detail in _findings())
    say_table(["what", "state", "detail"], rows)
    if canary and not _canary():
        raise typer.Exit(1)


def _canary() -> bool:
    """Print what came of the canary's run; whether it is as it was."""
    from harness.cli.console import note, say
    from harness.suites.canary import canary

    found = canary()
    for name, expected in found.reference.items():
        say(f"canary {name}: {found.ours[name]:.6f}, was {expected:.6f} nats on {found.kind} with {found.stack}")
    if not found.is_alive:
        note(
            f"this machine's results have moved by {found.drift:.2g} nats, where {found.tolerance:g} counts as none: a "
            "library computes something else than before; don't mix runs from before and after in a table"
        )
    return found.is_alive


def _findings() -> list[tuple[str, bool, str]]:
    import torch

    from harness.cli.capability import summary
    from harness.fetching.assets import cache_folder
    from harness.measure.environment import package_version
    from harness.measure.hardware import cpu_model, detect_precision

    gpu = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"{cpu_model()}, {torch.get_num_threads()} threads"
    )
    bits = [(f"{n}-bit bases", *_quantized_linear(n)) for n in (8, 4)]
    return [
        ("accelerator", torch.cuda.is_available(), gpu),
        ("computes in bf16", detect_precision() == "bf16", "what training.precision=auto stands for"),
        *bits,
        ("methods", *summary()),
        ("hub", *_hub()),
        ("data mirror", *_folder("HARNESS_DATA_DIR")),
        ("model mirror", *_folder("HARNESS_MODEL_DIR")),
        ("package assets", *_assets()),
        ("cache folder", os.access(_existing(cache_folder()), os.W_OK), str(cache_folder())),
        ("torch", True, package_version("torch")),
        ("transformers", True, package_version("transformers")),
        ("peft", True, package_version("peft")),
    ]


def _quantized_linear(bits: int) -> tuple[bool, str]:
    """Quantize one small layer and compare it with the original, for real."""
    import bitsandbytes
    import torch

    torch.manual_seed(0)
    original = torch.nn.Linear(64, 64, bias=False)
    if bits == 8:
        layer = bitsandbytes.nn.Linear8bitLt(64, 64, bias=False, has_fp16_weights=False)
    else:
        layer = bitsandbytes.nn.Linear4bit(64, 64, bias=False, quant_type="nf4")
    try:
        layer.load_state_dict(original.state_dict())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        layer, values = layer.to(device), torch.randn(8, 64, device=device)
        with torch.no_grad():
            expected = original.to(device)(values)
            error = float((layer(values) - expected).norm() / expected.norm())
    except Exception as failure:  # whatever the library raises, the answer is that it doesn't work here
        return False, f"bitsandbytes: {failure}"
    return error < 0.2, f"bitsandbytes {bitsandbytes.__version__}, relative error {error:.3f}"


def _hub() -> tuple[bool, str]:
    from harness.fetching.hub import hub_problem

    problem = hub_problem()
    return problem is None, problem or "reachable"


def _folder(variable: str) -> tuple[bool, str]:
    value = os.environ.get(variable)
    if not value:
        return False, f"{variable} is not set"
    return Path(value).is_dir(), value


def _assets() -> tuple[bool, str]:
    from harness.cli.fetch import package_assets
    from harness.fetching.assets import is_cached

    here = [name for name, asset in package_assets().items() if is_cached(asset.distribution, asset.version)]
    return bool(here), f"fetched: {', '.join(here) or 'none'}; `fetch` lists all"


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
