"""Which methods are on the Pareto front, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.errors import SpecError, unknown
from harness.probe import Quantity, quantities
from harness.statistics.difference import Resampled, draw_seeds
from harness.statistics.intervals import Floats


@dataclass(frozen=True)
class Candidate:
    """A cell that may be on the front: its resampled quality, and its costs by quantity, each of shape (S,)."""

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
        objectives: Two or three of "quality" and the quantities' names.

    Raises:
        SpecError: another number of objectives, an unknown one, or no seed that all candidates have.
    """
    known = quantities()
    if not 2 <= len(objectives) <= 3:
        raise SpecError(f"a Pareto front needs two or three objectives of quality, {', '.join(known)}")
    for name in objectives:
        if name != "quality" and name not in known:
            raise unknown("objective", name, ["quality", *known])
    seeds = sorted(set.intersection(*(set(candidate.quality.seeds) for candidate in candidates)))
    if not seeds:
        raise SpecError("a Pareto front needs a seed that all of its methods have")
    points = [[_resampled_loss(candidate, known.get(name), seeds) for name in objectives] for candidate in candidates]
    return 1 - is_dominated(np.moveaxis(np.array(points), -1, 0)).mean(axis=0)


def _resampled_loss(candidate: Candidate, cost: Quantity | None, seeds: list[int]) -> Floats:
    """A cost, or the quality, in each resample, shape (resamples,); less is better."""
    quality = candidate.quality.at(seeds)
    drawn = draw_seeds(len(quality.replicates), len(seeds))
    if cost is None:
        return -np.take_along_axis(quality.replicates, drawn, axis=1).mean(axis=1)
    columns = [candidate.quality.seeds.index(seed) for seed in seeds]
    return np.asarray(cost.loss(candidate.costs[cost.name][columns][drawn].mean(axis=1)))
