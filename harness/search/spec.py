"""What a search is: its budget, its sampler, its pruner, its objectives. Imports no optuna and no torch."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.core.errors import SpecError, nearest
from harness.core.spec import Section, describe
from harness.probe import Quantity, quantities

Sampler = Literal["tpe", "random", "qmc", "gp", "cmaes", "grid"]
Pruner = Literal["none", "median", "hyperband", "wilcoxon"]
OLD_OBJECTIVES = {"memory": "peak_memory_bytes", "seconds": "train_seconds"}
"""What stored studies and older suites call quantities."""

WILCOXON_SEEDS = 5
"""Fewer paired scores can't reach the pruner's p < 0.1 before the last seed: four give at least 1/16, three 1/8."""


def _known(objective: str) -> str:
    name = OLD_OBJECTIVES.get(objective, objective)
    known = quantities()
    if name != "quality" and name not in known:
        allowed = ["quality", *known]
        raise PydanticCustomError("objective", f"must be one of {', '.join(allowed)}{nearest(name, allowed)}")
    return name


BOUND = re.compile(r"\s*(?P<quantity>\w+)\s*(?P<side><=|>=)\s*(?P<limit>\S+)\s*")


@dataclass(frozen=True)
class Bound:
    """What a trial's mean of a quantity must not pass."""

    quantity: Quantity
    is_upper: bool
    limit: float

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.quantity.name}{'<=' if self.is_upper else '>='}{self.limit:g}"

    def excess(self, value: float) -> float:
        """How far a value is beyond the bound; 0 or less inside it."""
        return value - self.limit if self.is_upper else self.limit - value


def _bound(text: str) -> str:
    found = BOUND.fullmatch(text)
    known = quantities()
    if found is None or not _is_number(found["limit"]):
        raise PydanticCustomError("bound", "must be QUANTITY<=NUMBER or QUANTITY>=NUMBER")
    if found["quantity"] not in known:
        name = found["quantity"]
        raise PydanticCustomError("bound", f"must bound one of {', '.join(known)}{nearest(name, known)}")
    return bound_of(text).text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def bound_of(text: str) -> Bound:
    """The bound that a text says; ``SearchSpec`` has checked it."""
    quantity, side, limit = (part.strip() for part in re.split("(<=|>=)", text))
    return Bound(quantities()[quantity], side == "<=", float(limit))


class SearchSpec(Section):
    """The budget that every cell of a comparison gets, and how it is spent."""

    trials: int | None = Field(None, ge=1, description="Trials that ended, pruned and failed ones included.")
    budget_seconds: float | None = Field(None, gt=0, description="Seconds of trials, instead of a number of them.")
    sampler: Sampler = Field("tpe", description="How configurations are proposed.")
    pruner: Pruner = Field("median", description="How hopeless trials end early; several objectives: none.")
    objectives: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        ("quality",), min_length=1, description="quality (the validation metric), or quantities that probes give."
    )
    constraints: tuple[Annotated[str, AfterValidator(_bound)], ...] = Field(
        (), description="Bounds of quantities, as general_loss_increase_nats<=0.05; a trial outside can't be the best."
    )
    only: tuple[str, ...] = Field(
        (), description="What is varied, as training.learning_rate; default: all that the spec leaves open."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0,), min_length=1, description="Seeds of a trial's runs; a trial's values are means over them."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_pruning_of_several_objectives(cls, data: Any) -> Any:
        objectives = data.get("objectives") if isinstance(data, dict) else None
        several = isinstance(objectives, list | tuple) and len(objectives) > 1
        return {"pruner": "none", **data} if several else data

    @model_validator(mode="after")
    def _consistent(self) -> "SearchSpec":
        if (self.trials is None) == (self.budget_seconds is None):
            raise ValueError("a search needs either trials or budget_seconds")
        if len(self.objectives) > 1 and self.pruner != "none":
            raise ValueError("several objectives can't be pruned: pruner must be none")
        if len(self.objectives) > 1 and self.sampler == "cmaes":
            raise ValueError("cmaes searches one objective: choose another sampler for several")
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("each objective may be named once")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("each seed may be named once")
        if self.pruner == "wilcoxon" and len(self.seeds) < WILCOXON_SEEDS:
            raise ValueError(f"the wilcoxon pruner compares seeds: give at least {WILCOXON_SEEDS}")
        return self

    @property
    def costs(self) -> tuple[Quantity | None, ...]:
        """The quantity of each objective, None for the quality."""
        known = quantities()
        return tuple(known.get(name) for name in self.objectives)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The constraints."""
        return tuple(map(bound_of, self.constraints))

    @property
    def budget(self) -> str:
        """The budget in words."""
        return f"{self.trials} trials" if self.trials else f"{self.budget_seconds:g} seconds"

    @property
    def means(self) -> str:
        """Budget, sampler, pruner and seeds in words."""
        seeds = ", ".join(map(str, self.seeds))
        bounds = f", subject to {' and '.join(self.constraints)}" if self.constraints else ""
        return f"{self.budget} a cell, sampler {self.sampler}, pruner {self.pruner}, search seeds {seeds}{bounds}"


def parse_search(data: dict[str, Any]) -> SearchSpec:
    """A SearchSpec from plain data.

    Raises:
        SpecError: every problem, one a line.
    """
    try:
        return SearchSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, SearchSpec, "search"))) from None
