"""Which tricks would break what a run needs. Imports no torch."""

from harness.core.info import Need
from harness.core.spec import RunSpec, nested

BREAKS: dict[str, frozenset[Need]] = {
    "speed.first_token": frozenset({"hidden_states"}),
    "speed.fused_layers": frozenset({"example_gradients"}),
    "training.cache_trunk": frozenset({"input_gradients", "hidden_states"}),
}
"""The switch of each trick that breaks something; what the others compute is there as always."""


def broken(spec: RunSpec, needs: frozenset[Need]) -> tuple[str, ...]:
    """The switches that are on and would break what is needed, sorted."""
    plain = spec.model_dump()
    found = [name for name, breaks in BREAKS.items() if breaks & needs]
    return tuple(sorted(name for name in found if plain[name.split(".")[0]][name.split(".")[1]]))


def switched_off(spec: RunSpec, names: tuple[str, ...]) -> RunSpec:
    """The spec without these tricks."""
    return spec.updated(**nested(dict.fromkeys(names, False))) if names else spec
