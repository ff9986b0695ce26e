"""How good a method gets with k trials of tuning."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy import special

from harness.cells.curves import Curve
from harness.core.errors import SpecError
from harness.figure import Figure
from harness.figures._drawing import draw_curves, metric_label
from harness.figures._panels import Panel
from harness.metric import metric_named
from harness.search.record import StudyRecord, find_studies
from harness.statistics.intervals import Floats


class TrialBudget(Figure):
    """Expected best validation score after k trials of each method: which is best at your budget.

    Of the trials that ended by themselves; how many did not, pruned or failed, is said beside a method's name. The band
    is one standard deviation of the best of k trials.
    """

    source = "Dodge et al. 2019, https://arxiv.org/abs/1909.03004; Tang et al. 2020, https://aclanthology.org/2020.acl-main.246"
    arguments: ClassVar[tuple[str, ...]] = ("studies",)

    studies: tuple[str, ...] = Field((), description="Studies, by their names; default: all.")

    def draw(self, results: Path) -> Any:
        """A panel for each task, base and quantization."""
        studies = find_studies(results, self.studies)
        panels = budget_panels(studies)
        if not panels:
            raise SpecError(f"no study of quality alone in {results / 'studies'}; `harness search` makes one")
        metrics = {study.metric for study in studies}
        ylabel = f"expected best {metric_label(map(metric_named, metrics), 'validation')}"
        return draw_curves(panels, "trials", ylabel, self.inches)


def expected_best(values: Sequence[float]) -> tuple[Floats, Floats]:
    """Expected best of k trials for k = 1 … n, and its standard deviation, from the values of n trials.

    Without bias: the mean over all subsets of k of the n trials. With the sorted values v_1 ≤ … ≤ v_n, v_i is the best
    of C(i-1, k-1) of the C(n, k) subsets. (Dodge et al. draw with replacement, which is too low: the same trial may be
    drawn again.) The trials must be independent of each other, as those of a random search are; for a sampler that
    learns, the curve describes a search by someone who doesn't know their order.

    Args:
        values: Validation scores, higher is better, shape (n,), n ≥ 1.

    Returns:
        Mean and standard deviation, each of shape (n,).

    Source:
        Tang et al. 2020, equation 6, https://aclanthology.org/2020.acl-main.246
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n = len(ordered)
    places, draws = np.arange(1, n + 1), np.arange(1, n + 1)[:, None]
    chances = special.binom(places - 1, draws - 1) / special.binom(n, draws)
    mean = chances @ ordered
    deviation = np.sqrt((chances * (ordered - mean[:, None]) ** 2).sum(axis=1))
    return mean, deviation


def budget_panels(studies: Iterable[StudyRecord]) -> list[Panel[Curve]]:
    """A panel for each task, base and quantization; in it the curve of each study of quality alone.

    A curve has its method's name, or its study's where the method was searched twice. The last validation of a pruned
    trial is not what it would have come to, so it is left out and counted; so is a failed one.
    """
    cells: defaultdict[tuple[str, str, str], list[StudyRecord]] = defaultdict(list)
    for study in studies:
        if study.search.objectives == ("quality",) and any(trial.status == "complete" for trial in study.trials):
            cells[study.spec.task.name, study.spec.base.name, study.spec.base.quantization].append(study)
    return [Panel(", ".join(cell), tuple(map(_curve, found, _labels(found)))) for cell, found in sorted(cells.items())]


def _labels(studies: Sequence[StudyRecord]) -> list[str]:
    times = Counter(study.spec.method.name for study in studies)
    return [study.name if times[study.spec.method.name] > 1 else study.spec.method.name for study in studies]


def _curve(study: StudyRecord, label: str) -> Curve:
    metric = metric_named(study.metric)
    finished = [metric.sign * trial.values[0] for trial in study.trials if trial.status == "complete"]
    mean, deviation = expected_best(finished)
    lost = len(study.trials) - len(finished)
    said = f"{label} ({len(finished)} of {len(study.trials)} trials)" if lost else label
    curve = Curve(said, np.arange(1.0, len(mean) + 1), metric.sign * mean, deviation)
    return curve.times(100) if metric.is_percent else curve
