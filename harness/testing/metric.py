"""What every metric must do, as tests that its package inherits.

In the package's own tests::

    class TestMine(MetricContract):
        plugin = "mine"
"""

import math
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.core.errors import SpecError
from harness.core.info import TaskKind
from harness.core.plugins import Plugin
from harness.libraries.evaluate import judged
from harness.metric import Metric, check_metrics, make_metric
from harness.statistics.resampling import resample_counts
from harness.storage.predictions import Answers, read_answers, write_predictions

N = 30
N_LABELS = 2
WORDS = ("a", "film", "both", "funny", "and", "sad", "with", "one", "great", "scene")


def draw(kind: TaskKind, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Targets and predictions, of which most are right."""
    is_right = rng.random(N) < 0.7
    if kind == "regression":
        numbers = rng.integers(6, size=N).astype(float)
        return numbers.tolist(), (numbers + rng.normal(0, 1, N).round(1)).tolist()
    if kind in ("classification", "multiple_choice"):
        drawn: list[list[Any]] = [rng.integers(N_LABELS, size=N).tolist() for _ in "tp"]
    elif kind == "token_classification":
        drawn = [[tuple(rng.integers(3, size=6).tolist()) for _ in range(N)] for _ in "tp"]
    else:
        drawn = [[" ".join(rng.choice(WORDS, size=8)) for _ in range(N)] for _ in "tp"]
    targets, others = drawn
    return targets, [t if right else p for t, p, right in zip(targets, others, is_right, strict=True)]


def make_answers(metric: Metric, targets: list[Any], predictions: list[Any]) -> Answers:
    """Answers with all that the metric needs; scores are highest for what is predicted, and sure of it."""
    labels = predictions if isinstance(predictions[0], int) else [0] * len(predictions)
    scores = [[0.9 if place == label else 0.1 / (N_LABELS - 1) for place in range(N_LABELS)] for label in labels]
    texts = [str(prediction) for prediction in predictions]
    return Answers.of(
        targets,
        predictions,
        scores=scores if "scores" in metric.needs else None,
        texts=texts if "texts" in metric.needs else None,
    )


class MetricContract:
    """The contract; a subclass names the metric."""

    plugin: ClassVar[str]
    """The registered name."""

    @pytest.fixture
    def metric(self) -> Metric:
        """The plug-in."""
        return make_metric(self.plugin)

    @pytest.fixture(params=range(3))
    def answers(self, metric: Metric, request: pytest.FixtureRequest) -> Answers:
        """Answers of the first of its kinds, some of them wrong."""
        return make_answers(metric, *draw(min(metric.kinds), np.random.default_rng(request.param)))

    def test_declares_itself(self, metric: Metric) -> None:
        """A newcomer reads what it is, where it comes from and what it judges."""
        assert (type(metric).__doc__ or "") not in ("", Metric.__doc__, Plugin.__doc__)
        assert metric.source
        assert metric.name == self.plugin
        assert metric.kinds
        assert metric.range[0] < metric.range[1]
        for kind in metric.kinds:
            check_metrics([self.plugin], kind, N_LABELS)

    def test_perfect_answers_have_the_best_value(self, metric: Metric) -> None:
        """Of every kind that it judges."""
        best = metric.range[1] if metric.higher_is_better else metric.range[0]
        for kind in metric.kinds:
            targets, worse = draw(kind, np.random.default_rng(0))
            assert metric.undefined(targets) is None
            perfect = metric.judge(make_answers(metric, targets, targets))
            assert metric.sign * perfect > metric.sign * metric.judge(make_answers(metric, targets, worse))
            if not metric.needs:  # scores that are right may still not be sure enough for the best value
                assert perfect == pytest.approx(best)

    def test_values_lie_in_the_range(self, metric: Metric, answers: Answers) -> None:
        """And are finite."""
        value = metric.judge(answers)
        assert math.isfinite(value)
        assert metric.range[0] <= value <= metric.range[1]

    def test_the_order_of_examples_does_not_matter(self, metric: Metric, answers: Answers) -> None:
        """Nor does anything that an order could tell."""
        shuffled = answers.at(np.random.default_rng(1).permutation(N))
        assert metric.judge(shuffled) == pytest.approx(metric.judge(answers))

    def test_resamples_are_what_computing_gives(self, metric: Metric, answers: Answers) -> None:
        """A formula, or the values of examples, give what the metric is on each resample."""
        (counts,) = resample_counts(N, 20)
        values = metric.per_example(answers)
        found = metric.resampled(answers, counts) if values is None else counts.astype(float) @ values / N
        drawn = [answers.at(np.repeat(np.arange(N), row.astype(int))) for row in counts]
        np.testing.assert_allclose(found, [metric.judge(one) for one in drawn], atol=1e-6)

    def test_stored_answers_give_the_same(self, metric: Metric, answers: Answers, tmp_path: Any) -> None:
        """Written to a file of predictions and read again."""
        path = tmp_path / "predictions.parquet"
        write_predictions({"test": answers}, path)
        stored = read_answers(str(path), "test", metric.needs)
        assert stored is not None
        assert metric.judge(stored) == metric.judge(answers)

    def test_the_module_of_evaluate_gives_the_same(self, metric: Metric, answers: Answers) -> None:
        """Bit by bit: it is what a run is judged by."""
        assert judged(self.plugin, answers) == metric.judge(answers)

    def test_no_answers_are_refused(self, metric: Metric) -> None:
        """Nothing is worth neither 0 nor 1."""
        with pytest.raises(SpecError, match=f"{self.plugin} needs at least one answer"):
            metric.judge(Answers.of([], []))

    def test_answers_without_what_it_needs_are_refused(self, metric: Metric, answers: Answers) -> None:
        """By name."""
        for need in metric.needs:
            with pytest.raises(SpecError, match=f"{self.plugin} needs {need}"):
                metric.judge(Answers(answers.example_ids, answers.targets, answers.predictions))
