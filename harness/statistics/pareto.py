"""Which methods are on the Pareto front, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.errors import SpecError, unknown
from harness.statistics.difference import Resampled, draw_seeds
from harness.statistics.intervals import Floats
from harness.storage.record import Record

COSTS = {
    "trainable_params": lambda run: run.params.trainable_final or run.params.trainable,
    "stored_bytes": lambda run: run.params.stored_bytes,
    "peak_memory_bytes": lambda run: run.cost.peak_memory_bytes.train or run.cost.peak_memory_bytes.eval,
    "train_seconds": lambda run: run.cost.train_seconds,
}
"""Costs by name; a method that trains nothing needs the memory of its evaluation."""

OBJECTIVES = ("quality", *COSTS)


def costs_of(run: Record, names: Sequence[str]) -> list[float]:
    """The named costs of a run.

    Raises:
        SpecError: a name that is no cost.
    """
    for name in names:
        if name not in COSTS:
            raise unknown("cost", name, COSTS)
    return [_float(COSTS[name](run)) for name in names]


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON's integers have no end
        return math.inf


@dataclass(frozen=True)
class Candidate:
    """A cell that may be on the front: its resampled quality, and its costs by name, each of shape (S,)."""

    quality: Resampled
    costs: Mapping[str, Floats]


def is_dominated(points: Floats) -> np.ndarray:
    """Whether another point is nowhere worse and somewhere better; less is better.

    Args:
        points: Shape (..., K points, M objectives).

    Returns:
        Bool, shape (..., K).
    """
    ours, theirs = points[..., :, None, :], points[..., None, :, :]
    dominates = (theirs <= ours).all(axis=-1) & (theirs < ours).any(axis=-1)
    return np.asarray(dominates.any(axis=-1))


def pareto_membership(candidates: Sequence[Candidate], objectives: Sequence[str]) -> Floats:
    """The share of bootstrap resamples (seeds × examples) in which each candidate is on the front, shape (K,).

    Args:
        candidates: Cells that answered the same examples and share a seed.
        objectives: Two or three of ``OBJECTIVES``.

    Raises:
        SpecError: another number of objectives, an unknown one, or no seed that all candidates have.
    """
    if not 2 <= len(objectives) <= 3:
        raise SpecError(f"a Pareto front needs two or three objectives of {', '.join(OBJECTIVES)}")
    for name in objectives:
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
    seeds = sorted(set.intersection(*(set(candidate.quality.seeds) for candidate in candidates)))
    if not seeds:
        raise SpecError("a Pareto front needs a seed that all of its methods have")
    points = [[_resampled_loss(candidate, name, seeds) for name in objectives] for candidate in candidates]
    return 1 - is_dominated(np.moveaxis(np.array(points), -1, 0)).mean(axis=0)


def _resampled_loss(candidate: Candidate, objective: str, seeds: list[int]) -> Floats:
    """The objective, less is better, in each resample, shape (resamples,)."""
    quality = candidate.quality.at(seeds)
    drawn = draw_seeds(len(quality.replicates), len(seeds))
    if objective == "quality":
        return -np.take_along_axis(quality.replicates, drawn, axis=1).mean(axis=1)
    columns = [candidate.quality.seeds.index(seed) for seed in seeds]
    return np.asarray(candidate.costs[objective][columns][drawn].mean(axis=1))
