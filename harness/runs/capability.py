"""What was seen of whether methods train on bases, kept by versions in the cache folder. Imports no torch."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness.core.spec import Quantization
from harness.fetching.assets import cache_folder
from harness.measure.environment import package_version
from harness.method import Method
from harness.storage.files import write_json

LIBRARIES = ("adaptation-harness", "bitsandbytes", "peft", "torch", "transformers")
State = Literal["works", "skipped", "failed"]


@dataclass(frozen=True)
class Capability:
    """Whether a method could be applied and trained for two steps; if not, why, in one sentence."""

    state: State
    reason: str | None = None


def known(method: Method, config: Mapping[str, Any], quantization: Quantization) -> Capability | None:
    """What was seen of it with these versions of the libraries and of the method's file; None if it was not tried.

    Args:
        method: With its settings.
        config: The base's configuration.
        quantization: The precision of the base.
    """
    try:
        return Capability(**json.loads(_file(method, config, quantization).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keep(method: Method, config: Mapping[str, Any], quantization: Quantization, seen: Capability) -> None:
    """Keep what was seen for ``known``."""
    file = _file(method, config, quantization)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, asdict(seen))


def _file(method: Method, config: Mapping[str, Any], quantization: Quantization) -> Path:
    source = Path(inspect.getfile(type(method))).read_bytes()
    told = {
        "method": [method.name, method.version, hashlib.sha256(source).hexdigest(), method.model_dump(mode="json")],
        "base": [dict(config), quantization],
        "libraries": [package_version(name) for name in LIBRARIES],
    }
    key = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return cache_folder() / "capability" / f"{key}.json"
