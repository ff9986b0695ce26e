"""Optuna's samplers and pruners, set up so that what they propose depends on stored trials only."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, GridSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from harness.core.seeds import derive
from harness.core.space import Space
from harness.libraries.extras import need
from harness.libraries.optuna import NumberedQMCSampler, first_number, joint_tpe
from harness.search.space import TrialParams, grid
from harness.search.spec import Pruner, Sampler


class PerTrialSampler(BaseSampler):
    """The published default as trial 0, then a fresh sampler for every trial, made for its number.

    Optuna's samplers draw from a generator that lives as long as the process: a resumed study would propose its first
    trials again. A sampler made for the trial keeps nothing in memory, so an interrupted and resumed study proposes
    what an uninterrupted one would. For the same reason what is not proposed jointly has a sampler of its own: a trial
    may be interrupted between two parameters.

    Args:
        make: The sampler of a trial number and a parameter's name (empty: the joint proposal).
        default: The published default.
    """

    def __init__(self, make: Callable[[int, str], BaseSampler], default: TrialParams) -> None:
        self._make = make
        self._default = default
        self._sampler: BaseSampler = RandomSampler()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the trial's sampler."""
        if first_number(trial) > 0:
            self._sampler = self._make(first_number(trial), "")
            self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What is proposed jointly: nothing for trial 0."""
        return {} if first_number(trial) == 0 else self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The joint proposal."""
        return {} if first_number(trial) == 0 else self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The proposal for what is not proposed jointly."""
        if first_number(trial) == 0:
            return self._default[param_name]
        sampler = self._make(first_number(trial), param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """What the trial's sampler does at its end."""
        if first_number(trial) > 0:
            # CMA-ES ignores that a failed trial is infeasible; the worst quality that comes with it is what it needs.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Constraints have been set")
                self._sampler.after_trial(study, trial, state, values)


def make_sampler(name: Sampler, seed: int, space: Space, default: TrialParams) -> PerTrialSampler:
    """The sampler of a study; a grid and a Sobol sequence are the same for all trials of a seed."""

    seen = IntersectionSearchSpace(include_pruned=True)

    def make(number: int, parameter: str) -> BaseSampler:
        own, common = derive(seed, f"trial {number} {parameter}"), derive(seed, "sampler")
        match name:
            case "tpe":
                return joint_tpe(own, seen)
            case "random":
                return RandomSampler(seed=own)
            case "qmc":
                return NumberedQMCSampler(number, common, RandomSampler(seed=own))
            case "gp":
                return GPSampler(seed=own)
            case "cmaes":
                need("cmaes", "search")
                return CmaEsSampler(seed=own, warn_independent_sampling=False)
            case "grid":
                return GridSampler(grid(space), seed=common)

    def make_quietly(number: int, parameter: str) -> BaseSampler:
        # Sobol and Gaussian-process samplers are experimental to Optuna.
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return make(number, parameter)

    return PerTrialSampler(make_quietly, default)


def max_trials(name: Sampler, space: Space) -> float:
    """How many trials a study can use: the default and every point of the grid; the default alone if nothing varies."""
    if not space:
        return 1
    return 1 + math.prod(map(len, grid(space).values())) if name == "grid" else math.inf


def make_pruner(name: Pruner, study: Study) -> BasePruner:
    """The pruner, for trials that report at examples seen (or at the index of the seed: wilcoxon).

    Hyperband's smallest and largest resource are the first and last report of a completed trial; without one yet it
    prunes nothing.
    """
    match name:
        case "none":
            return NopPruner()
        case "median":
            return MedianPruner(n_startup_trials=5)
        case "wilcoxon":
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                return WilcoxonPruner()
        case "hyperband":
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            steps = next((sorted(trial.intermediate_values) for trial in done if trial.intermediate_values), None)
            return HyperbandPruner(min_resource=steps[0], max_resource=steps[-1]) if steps else NopPruner()
