"""A study before its first trial."""

from collections.abc import Callable
from dataclasses import dataclass

from harness import identity, registry
from harness.record import Record
from harness.search.space import Params, default_params, search_space
from harness.search.spec import SearchSpec
from harness.space import Space
from harness.spec import RunSpec, digest

OnValidation = Callable[[int, dict[str, float]], None]
RunTrial = Callable[[RunSpec, OnValidation], Record]


@dataclass(frozen=True)
class Plan:
    """The resolved cell and what varies of it; the same plan has the same name, so a command goes on with it."""

    spec: RunSpec
    search: SearchSpec
    space: Space
    default: Params
    metric: str

    @property
    def name(self) -> str:
        """The cell in words, and a hash of all that decides what is proposed; the budget is not part of it."""
        spec = self.spec
        decisive = {
            "spec": spec.model_dump(mode="json", exclude={"seed"}),
            "version": registry.method_class(spec.method.name).version,
            "search": self.search.model_dump(mode="json", exclude={"trials", "budget_seconds"}),
            "space": {name: repr(range_) for name, range_ in self.space.items()},
            "default": self.default,
        }
        base = spec.base.name.rstrip("/").rsplit("/", 1)[-1]
        return "-".join((spec.method.name, spec.task.name, base, spec.base.quantization, digest(decisive, 8)))


def make_plan(spec: RunSpec, search: SearchSpec, space: Space | None = None) -> Plan:
    """The plan of a cell's study: what the spec sets is held fixed, the rest of the space is searched."""
    space = search_space(spec) if space is None else space
    metric = registry.task(spec.task.name).metrics[0]
    return Plan(identity.resolve(spec), search, space, default_params(spec, space), metric)
