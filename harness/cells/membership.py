"""Which examples a run was trained on, told with the cell's other runs as shadow models: LiRA, offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.probes.membership import auc
from harness.statistics.intervals import Floats, Interval, mean_interval

FALSE_POSITIVES = 0.01
"""Share of the examples not trained on that may be taken for members."""
SMALLEST_LOSS = 1e-7
"""Below it float32 has no probability but 1, whose logit is infinite."""


@dataclass(frozen=True)
class Attacked:
    """What the attack finds in a cell, as means over its runs; ``loss_auc`` is that of the loss alone.

    The area's interval is over runs, each of which is a shadow of the others; it held the truth in 94 to 99 % of 600
    simulated cells of 2 to 16 runs.
    """

    auc: Interval
    loss_auc: Interval
    true_positives: Interval
    n_examples: int


def ratios(losses: Floats, trained: NDArray[np.bool_]) -> Floats:
    """How much likelier each example is to a run than to the others that were not trained on it, shape (S, N).

    The difference of the example's logit phi = log(p / (1 - p)), p = exp(-loss), to its mean over the k other runs,
    times sqrt(k / (k + 1)), so that examples with few and with many others vary alike. One variance is taken for all
    examples, as few shadows need; it is then a factor that changes no area. NaN where no other run tells.

    Args:
        losses: Nats of each of S runs, shape (S, N).
        trained: Whether the run was trained on the example, shape (S, N).

    Source:
        Carlini et al. 2022, equation 4 and section VI-B, https://arxiv.org/abs/2112.03570
    """
    losses = np.maximum(losses, SMALLEST_LOSS)
    phi = -losses - np.log(-np.expm1(-losses))
    out = (~trained).astype(float)
    n_others = out.sum(axis=0) - out
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = ((phi * out).sum(axis=0) - phi * out) / n_others
    return np.asarray((phi - mean) * np.sqrt(n_others / (n_others + 1)))


def attack(losses: Sequence[Mapping[str, float]], trained: Sequence[Mapping[str, float]]) -> Attacked:
    """The attack on every run of a cell.

    Args:
        losses: Of each run, by example.
        trained: 1 for each example that it was trained on, else 0.

    Raises:
        SpecError: fewer than two runs, or none with two examples that it was trained on and two that it was not, all
            of them left out by another.
    """
    ids = sorted(set.intersection(*map(set, losses))) if len(losses) > 1 else []
    if not ids:
        raise SpecError("an attack needs two runs that measured the same examples")
    values = np.array([[run[name] for name in ids] for run in losses])
    is_in = np.array([[run[name] for name in ids] for run in trained]) > 0
    areas, plain, found, used = [], [], [], np.zeros(len(ids), dtype=bool)
    for run, scores, members in zip(values, ratios(values, is_in), is_in, strict=True):
        told = np.isfinite(scores)
        inside, outside = told & members, told & ~members
        if min(inside.sum(), outside.sum()) < 2:
            continue
        used |= told
        areas.append(auc(scores[inside], scores[outside]).value)
        plain.append(auc(run[outside], run[inside]).value)
        found.append(float((scores[inside] > np.quantile(scores[outside], 1 - FALSE_POSITIVES)).mean()))
    if not areas:
        raise SpecError("no example was learned by one run and left out by another; give the runs task.train_limit")
    return Attacked(mean_interval(areas), mean_interval(plain), mean_interval(found), int(used.sum()))
