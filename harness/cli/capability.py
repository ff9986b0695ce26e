"""``list methods --probe``: what works on which base and precision, from having tried it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, get_args

from harness.bases.info import base_config, registered
from harness.bases.package import PACKAGE_BASES
from harness.cli.console import note, say, say_table
from harness.core.spec import Quantization
from harness.method import METHODS
from harness.runs.capability import Capability, known

T5_TINY = {
    "model_type": "t5",
    "architectures": ["T5ForConditionalGeneration"],
    "is_encoder_decoder": True,
    "num_layers": 4,
    "num_decoder_layers": 4,
    "d_model": 256,
    "d_ff": 1024,
    "d_kv": 64,
    "num_heads": 4,
}
"""No package asset has an encoder-decoder: so methods are tried on a T5 of this size."""
SHOWN = {"works": "yes", "skipped": "–", "failed": "FAILED"}
Tried = dict[tuple[str, str, Quantization], Capability]


def show_capability(base: str | None) -> None:
    """The matrix of methods by bases and precisions, then every reason once, then the counts."""
    configs: Mapping[str, Mapping[str, Any]] = {registered(base): base_config(base)} if base else _one_of_each_kind()
    tried = _try_all(configs)
    cells = [(name, quantization) for name in configs for quantization in get_args(Quantization)]
    params = _params(next(iter(configs.values())))
    heads = ["method", "family", f"parameters on {next(iter(configs))}", *(" ".join(cell) for cell in cells)]
    say_table(
        heads,
        (
            [name, METHODS.find(name).family, params[name], *(SHOWN[tried[name, *cell].state] for cell in cells)]
            for name in METHODS.names()
        ),
    )
    _say_reasons(tried)
    counts = Counter(seen.state for seen in tried.values())
    say(
        f"{len(METHODS.names())} methods, {len(tried)} cells: {counts['works']} work, {counts['skipped']} are skipped, "
        f"{counts['failed']} failed"
    )


def summary() -> tuple[bool, str]:
    """What the cache tells of the methods on the packaged bases: whether none failed, and the counts."""
    seen = [
        known(METHODS.make(name), base.config, quantization)
        for base in PACKAGE_BASES.values()
        for name in METHODS.names()
        for quantization in get_args(Quantization)
    ]
    counts = Counter(found.state if found else "not tried" for found in seen)
    told = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    return not counts[
        "failed"
    ], f"{told}, of {len(seen)} cells on {', '.join(PACKAGE_BASES)}; `list methods --probe` tries"


def _one_of_each_kind() -> Mapping[str, Mapping[str, Any]]:
    return {name: base.config for name, base in PACKAGE_BASES.items()} | {"t5": T5_TINY}


def _try_all(configs: Mapping[str, Mapping[str, Any]]) -> Tried:
    from harness.runs.attempt import capability

    tried: Tried = {}
    for base, config in configs.items():
        note(f"trying {len(METHODS.names())} methods on a small model like {base}")
        for name in METHODS.names():
            for quantization in get_args(Quantization):
                tried[name, base, quantization] = capability(METHODS.make(name), config, quantization)
    return tried


def _params(config: Mapping[str, Any]) -> dict[str, str]:
    """What each method trains on the whole base beside the head, by formula."""
    from harness.bases.info import described

    info = described(config, "none", is_sentence_embedding=False)
    counts = {name: METHODS.make(name).expected_params(info) for name in METHODS.names()}
    return {name: "" if count is None else f"{count:,}" for name, count in counts.items()}


def _say_reasons(tried: Tried) -> None:
    cells: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (name, base, quantization), seen in tried.items():
        if seen.reason:
            cells[seen.state, seen.reason].append(f"{name} on {base} {quantization}")
    for (state, reason), where in sorted(cells.items()):
        shown = ", ".join(where[:3]) + (f", … ({len(where)} in all)" if len(where) > 3 else "")
        say(f"{state}: {reason}: {shown}")
