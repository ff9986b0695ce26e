"""A metric applied to runs that were not judged by it, from their stored predictions."""

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.cells.answered import reads
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.metric import METRICS, Metric, make_metric, metric_named
from harness.storage.predictions import AnswerPart, Read
from harness.storage.record import Record


def needs_of(records: Iterable[Record], metric: str | None) -> frozenset[AnswerPart]:
    """What has to be read of predictions, for the records' primary metrics or one that was asked for."""
    names = {metric} if metric else {record.primary_metric for record in records if record.primary_metric}
    return frozenset().union(*(make_metric(name).needs for name in names if name in METRICS.names()))


def with_metric(records: Sequence[Record], measure: Measure, read: Read) -> list[Record]:
    """The records, with the metric that was asked for; nothing is written.

    Runs that lack it are judged by it where their answers to the split are stored (they are those of the chosen
    checkpoint), of a kind that it reads and defined for it; the others stay as they are.

    Raises:
        SpecError: no run has the metric and none can be judged by it, with the most frequent reason; or a metric that
            neither the runs nor the harness have.
    """
    asked = measure.metric
    if asked is None or measure.checkpoint == "last" or all(measure.of(run) is not None for run in records):
        return list(records)
    is_known = any(measure.of(run) is not None for run in records)
    metric = metric_named(asked) if is_known else make_metric(asked)
    result, problems = [], Counter[str]()
    for run in records:
        if run.status == "ok" and measure.of(run) is None:
            value = _judge(metric, run, measure, read)
            if isinstance(value, str):
                problems[value] += 1
            else:
                run = run.model_copy(update={"metrics": run.metrics | {f"{measure.split}/{asked}": value}})
        result.append(run)
    if problems and all(measure.of(run) is None for run in result):
        ((reason, _),) = problems.most_common(1)
        raise SpecError(f"no run has {measure.split}/{asked}, and none can be judged by it: {reason}")
    return result


def _judge(metric: Metric, run: Record, measure: Measure, read: Read) -> float | str:
    """The value, or why there is none."""
    kind = run.task.get("kind")
    if kind is not None and kind not in metric.kinds:
        return f"{metric.name} judges {' and '.join(sorted(metric.kinds))}, not {kind}"
    answers = read(run, measure.split)
    if answers is None:
        return f"no predictions of {measure.split} are stored"
    if not reads(metric, answers):
        needs = f" with {' and '.join(sorted(metric.needs))}" if metric.needs else ""
        return f"the stored answers are no {' or '.join(sorted(metric.kinds))}{needs}"
    if reason := metric.undefined(answers.targets.tolist()):
        return f"{metric.name} is undefined: {reason}"
    try:
        return metric.judge(answers)
    except SpecError as error:
        return str(error)
