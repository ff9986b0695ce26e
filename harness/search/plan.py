"""A study before its first trial."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness.core.errors import SpecError
from harness.core.space import Space
from harness.core.spec import ProbeSpec, RunSpec, digest
from harness.metric import make_metric
from harness.probe import Quantity, probes_by_quantity
from harness.runs.identity import identify
from harness.runs.resolve import Resolved, resolve
from harness.search.space import TrialParams, default_params, search_space
from harness.search.spec import SearchSpec
from harness.storage.record import Record

OnValidation = Callable[[int, dict[str, float]], None]
RunTrial = Callable[[RunSpec, OnValidation], Record]


@dataclass(frozen=True)
class Plan:
    """The resolved cell and what varies of it; the same plan has the same name, so a command goes on with it."""

    run: Resolved
    search: SearchSpec
    space: Space
    default: TrialParams

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.run.spec

    @property
    def metric(self) -> str:
        """The task's primary metric."""
        return self.run.task.metrics[0]

    def direction(self, cost: Quantity | None) -> Literal["maximize", "minimize"]:
        """Of a cost, or of the quality as its metric has it, as Optuna calls it."""
        return "maximize" if (cost or make_metric(self.metric)).higher_is_better else "minimize"

    @cached_property
    def name(self) -> str:
        """The cell in words, and a hash of all that decides what is proposed and what comes of it.

        That is the runs of the published default (spec, examples, versions), the metric, what varies and how it is
        searched. The budget is no part of it.

        Raises:
            SourceError: the examples are out of reach.
        """
        spec = self.spec
        unconstrained = set() if self.search.constraints else {"constraints"}
        decisive = {
            "runs": [identify(self.run.seeded(seed)) for seed in self.search.seeds],
            "metric": self.metric,
            "search": self.search.model_dump(mode="json", exclude={"trials", "budget_seconds", "only", *unconstrained}),
            "space": {name: repr(range_) for name, range_ in self.space.items()},
            "default": self.default,
        }
        recipes = [spec.recipe] if spec.recipes else []
        words = (spec.method.name, *recipes, _word(spec.task.name), _word(spec.base.name), spec.base.quantization)
        return "-".join((*words, digest(decisive, 8)))


def _word(name: str) -> str:
    """A task or a base in a file's name: of a path or a hub id the last part, without a query, and not too long."""
    last = name.partition("?")[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.]+", "_", last)[:40]


def _with_probes_of(costs: Iterable[Quantity | None], given: tuple[ProbeSpec, ...]) -> tuple[ProbeSpec, ...]:
    """The probes given, and what else the costs need to be measured."""
    known = probes_by_quantity()
    needed = {known[cost.name].name: None for cost in costs if cost and not known[cost.name].is_standard}
    return given + tuple(ProbeSpec(name=name) for name in needed if name not in {spec.name for spec in given})


def _narrowed(space: Space, only: tuple[str, ...]) -> Space:
    """What of a space is varied.

    Raises:
        SpecError: for a name that no space could have.
    """
    for name in only:
        if name.partition(".")[0] not in ("method", "recipe", "training"):
            raise SpecError(f"search.only must name fields as method.rank or training.learning_rate; got {name!r}")
    return {name: range_ for name, range_ in space.items() if not only or name in only}


def make_plan(spec: RunSpec, search: SearchSpec, space: Space | None = None) -> Plan:
    """The plan of a cell's study: what the spec sets is held fixed, the rest of the space is searched."""
    costs = [*search.costs, *(bound.quantity for bound in search.bounds)]
    run = resolve(spec.model_copy(update={"probes": _with_probes_of(costs, spec.probes)}))
    space = _narrowed(search_space(spec, run.method, run.recipes) if space is None else space, search.only)
    return Plan(run, search, space, default_params(run.method, space, run.recipes))
