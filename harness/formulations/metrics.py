"""The harness's metrics as ``evaluate.Metric`` modules, which work without the hub."""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from harness.core.errors import unknown
from harness.metrics import metrics

_LABEL, _NUMBER, _TEXT = (datasets.Value(dtype) for dtype in ("int64", "float64", "string"))
_FEATURES = {
    "pearson": _NUMBER,
    "spearman": _NUMBER,
    "span_f1": datasets.Sequence(_LABEL),
    **dict.fromkeys(("exact_match", "bleu", "chrf", "rouge1", "rouge2", "rougeL"), _TEXT),
}


class HarnessMetric(evaluate.Metric):
    """One of ``metrics.METRICS``; ``config_name`` is its name, ``compute`` returns ``{name: value}``."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in metrics.METRICS:
            raise unknown("metric", str(self.config_name), metrics.METRICS)
        feature = _FEATURES.get(self.config_name, _LABEL)
        return evaluate.MetricInfo(
            description=metrics.METRICS[self.config_name].__doc__ or self.config_name,
            citation="",
            features=datasets.Features({"predictions": feature, "references": feature}),
        )

    def _compute(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        return {self.config_name: metrics.compute(self.config_name, references, predictions)}


def metric(name: str) -> HarnessMetric:
    """The module of a metric; examples stay in memory.

    Raises:
        SpecError: an unknown metric.
    """
    return HarnessMetric(config_name=name, keep_in_memory=True)
