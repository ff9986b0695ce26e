"""What a search is: its budget, its sampler, its pruner, its objectives. Imports no optuna and no torch."""

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


class SearchSpec(Section):
    """The budget that every cell of a comparison gets, and how it is spent."""

    trials: int | None = Field(None, ge=1, description="Trials that ended, pruned and failed ones included.")
    budget_seconds: float | None = Field(None, gt=0, description="Seconds of trials, instead of a number of them.")
    sampler: Sampler = Field("tpe", description="How configurations are proposed.")
    pruner: Pruner = Field("median", description="How hopeless trials end early; several objectives: none.")
    objectives: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        ("quality",), min_length=1, description="quality (the validation metric), or quantities that probes give."
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
    def budget(self) -> str:
        """The budget in words."""
        return f"{self.trials} trials" if self.trials else f"{self.budget_seconds:g} seconds"

    @property
    def means(self) -> str:
        """Budget, sampler, pruner and seeds in words."""
        seeds = ", ".join(map(str, self.seeds))
        return f"{self.budget} a cell, sampler {self.sampler}, pruner {self.pruner}, search seeds {seeds}"


def parse_search(data: dict[str, Any]) -> SearchSpec:
    """A SearchSpec from plain data.

    Raises:
        SpecError: every problem, one a line.
    """
    try:
        return SearchSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, SearchSpec, "search"))) from None
