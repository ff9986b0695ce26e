"""Metrics as modules of Hugging Face evaluate: no hub, nothing written, the columns checked by their types."""

from collections.abc import Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import evaluate

from harness.core.info import TaskKind
from harness.metric import Metric, make_metric
from harness.storage.predictions import Answers

_LABEL, _NUMBER, _TEXT = (datasets.Value(dtype) for dtype in ("int64", "float64", "string"))
_ANSWER: dict[TaskKind, Any] = {
    "classification": _LABEL,
    "multiple_choice": _LABEL,
    "regression": _NUMBER,
    "token_classification": datasets.Sequence(_LABEL),
    "generation": _TEXT,
}
_NEEDED: dict[str, Any] = {"scores": datasets.Sequence(_NUMBER), "texts": _TEXT}


class Module(evaluate.Metric):
    """The module of a metric; ``config_name`` is its name.

    ``compute(predictions=…, references=…)``, with a column for each of the metric's needs, returns ``{name: value}``.
    """

    def _info(self) -> evaluate.MetricInfo:
        metric = self.metric
        needed = {str(need): _NEEDED[need] for need in sorted(metric.needs)}
        answers = {repr(_ANSWER[kind]): _ANSWER[kind] for kind in sorted(metric.kinds)}.values()
        return evaluate.MetricInfo(
            description=type(metric).__doc__ or metric.name,
            citation=metric.source,
            features=[datasets.Features(dict(needed, predictions=one, references=one)) for one in answers],
        )

    @property
    def metric(self) -> Metric:
        """The plug-in."""
        return make_metric(str(self.config_name))

    def _compute(self, predictions: Sequence[Any], references: Sequence[Any], **needed: Any) -> dict[str, float]:
        return {self.metric.name: self.metric.judge(Answers.of(references, predictions, **needed))}


def module(name: str) -> Module:
    """The module of a metric; examples stay in memory.

    Raises:
        SpecError: an unknown metric.
    """
    return Module(config_name=name, keep_in_memory=True, cache_dir=_folder().name)


def judged(name: str, answers: Answers) -> float:
    """A metric's value over answers, through its module.

    Raises:
        SpecError: an unknown metric, no answer, or answers without what the metric needs or is defined for.
        ValueError: answers of another type than the metric's.
    """
    metric = make_metric(name)
    metric.check(answers)
    columns = {"predictions": answers.predictions, "references": answers.targets}
    columns |= {need: getattr(answers, need) for need in metric.needs}
    lists = {column: values.tolist() for column, values in columns.items()}
    return float(module(name).compute(**lists)[name])


@cache
def _folder() -> TemporaryDirectory[str]:
    """evaluate makes a folder for every module, though nothing is written to it: one that ends with the process."""
    return TemporaryDirectory(prefix="harness-evaluate-")
