"""Every pair of competing cells with its difference and p-values, whichever cell is best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.cells.answered import Answered, answer_cells
from harness.cells.cells import Comparison, Key, Label
from harness.cells.race import raced_cell
from harness.cells.scores import Measure, Scored, score_cells
from harness.cells.sharing import Pair, Sharing
from harness.statistics.difference import Difference, difference, folds_difference, paired_bootstrap, shared_seeds
from harness.statistics.intervals import holm, majority_vote, mcnemar
from harness.storage.predictions import Read

MOST_CELLS = 30
"""Of a comparison whose pairs are all tested: they are as many as the square of the cells."""


@dataclass(frozen=True)
class PairTest:
    """Cells a and b of one setting.

    Args:
        setting: What both share, as in ``Comparison.key``.
        difference: a - b, with its interval and p-value.
        bootstrap: The 95 % percentile interval over seeds × examples; None of folds, which have other examples.
        adjusted_p: Holm's, over all pairs that were tested together.
        mcnemar_by_seed: Exact p-values; empty where answers are not right or wrong (numbers, tags).
        mcnemar_majority: The same on the majority vote of the shared seeds.
    """

    setting: Key
    a: str
    b: str
    difference: Difference
    bootstrap: tuple[float, float] | None
    adjusted_p: float
    mcnemar_by_seed: tuple[float, ...]
    mcnemar_majority: float | None


def compare_pairs(comparisons: Sequence[Comparison], label: Label, measure: Measure, read: Read) -> list[PairTest]:
    """Tests of pairs that have two seeds in common and predictions of the same examples.

    They are all pairs of a comparison, or those of its best cell where it has more than ``MOST_CELLS``. Holm's
    correction counts all; significantly different is a pair whose ``adjusted_p`` is at most 5 %. Raced cells have no
    such tests: how many seeds they share depends on their scores.
    """
    found: list[PairTest] = []
    n_untested = 0
    for comparison in comparisons:
        cells = score_cells(comparison, measure)
        sharing = Sharing(cells, left_out=[place for place, cell in enumerate(cells) if raced_cell(cell)])
        best = sharing.best()
        pairs = list(sharing.all() if len(cells) <= MOST_CELLS or best is None else sharing.of(best))
        n_untested += len(sharing) - len(pairs)
        if cells and cells[0].overlap:
            found += _test_folds(pairs, cells, comparison.key, label)
        else:
            found += _test(pairs, cells, comparison.key, label, measure, read)
    adjusted = holm([pair.difference.p_value for pair in found], len(found) + n_untested)
    return [replace(pair, adjusted_p=float(p)) for pair, p in zip(found, adjusted, strict=True)]


def _test(
    pairs: Sequence[Pair], cells: Sequence[Scored], setting: Key, label: Label, measure: Measure, read: Read
) -> Iterator[PairTest]:
    answered = answer_cells(cells, read, measure.split) if pairs else []
    labels = [label(scored.runs[0]) for scored in cells]
    for pair in pairs:
        a, b = answered[pair.a], answered[pair.b]
        if a and b:
            tested = difference(a.resampled, b.resampled, pair.pooled)
            by_seed, majority = _mcnemar(a, b)
            yield PairTest(
                setting=setting,
                a=labels[pair.a],
                b=labels[pair.b],
                difference=tested,
                bootstrap=paired_bootstrap(a.resampled, b.resampled),
                adjusted_p=tested.p_value,
                mcnemar_by_seed=by_seed,
                mcnemar_majority=majority,
            )


def _test_folds(pairs: Sequence[Pair], cells: Sequence[Scored], setting: Key, label: Label) -> Iterator[PairTest]:
    for pair in pairs:
        a, b = cells[pair.a], cells[pair.b]
        tested = folds_difference(np.array([a.scores[run] - b.scores[run] for run in pair.seeds]), a.overlap)
        names = label(a.runs[0]), label(b.runs[0])
        yield PairTest(setting, *names, tested, None, tested.p_value, mcnemar_by_seed=(), mcnemar_majority=None)


def _mcnemar(a: Answered, b: Answered) -> tuple[tuple[float, ...], float | None]:
    """Exact p-values for each shared seed and for the majority vote over them."""
    is_label = a.targets.dtype.kind == "i" or isinstance(a.targets[0], str)
    if not is_label:
        return (), None
    seeds = shared_seeds(a.resampled.seeds, b.resampled.seeds)
    ours, theirs = (cell.predictions[[cell.resampled.seeds.index(seed) for seed in seeds]] for cell in (a, b))
    by_seed = tuple(mcnemar(x == a.targets, y == a.targets) for x, y in zip(ours, theirs, strict=True))
    return by_seed, mcnemar(majority_vote(ours) == a.targets, majority_vote(theirs) == a.targets)
