"""One trial: the runs of one proposed configuration, reported to the pruner and judged by the objectives."""

import math
import time
from collections.abc import Callable
from statistics import mean

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState

from harness.core.errors import SpecError
from harness.libraries.optuna import judged, stored, trial_id
from harness.metric import make_metric
from harness.probe import Quantity
from harness.search.plan import Plan, RunTrial
from harness.search.record import with_params
from harness.search.space import suggest
from harness.storage.record import Record

OUTCOME = "outcome"
"""User attribute of a finished trial: its runs, steps, seconds and the reason of a failure.

Optuna's own times are local ones, which jump with the time of the year and are set; these seconds are not."""

VERDICT = "verdict"
"""User attribute of a trial: the pruner's last verdict that came with attributes of the pruner's own."""

FAILED = "failed"
"""Constraint that a trial violates whose run diverged, ran out of memory or failed."""

WORST_QUALITY = 0.0
"""Told for a failed trial: no metric falls below it but correlations of a model worse than useless."""

WORST_ERROR = 1e6
"""Told for a failed trial of a metric without an upper end where lower is better, while no other trial has ended."""


def evaluate(trial: Trial, plan: Plan, run_trial: RunTrial, check_budget: Callable[[], None]) -> list[float]:
    """The objectives' values of a trial: means over the seeds of the search.

    Raises:
        TrialPruned: the pruner, or ``check_budget``, ended the trial.
        SpecError: the cell is skipped.
    """
    spec = with_params(plan.spec, {name: suggest(trial, name, range_) for name, range_ in plan.space.items()})
    reports, clock = Reports(trial, plan, check_budget), time.monotonic()
    records: list[Record] = []
    try:
        for seed in plan.search.seeds:
            records.append(run_trial(spec.updated(seed=seed), reports.on_validation))
            if records[-1].status != "ok":
                break
            reports.run_ended(records[-1])
    finally:
        reason = records[-1].reason if records else None
        outcome = {"run_ids": [record.run_id for record in records], "steps": reports.steps, "reason": reason}
        trial.set_user_attr(OUTCOME, outcome | {"seconds": time.monotonic() - clock})
    status = records[-1].status
    if status == "skipped":
        raise SpecError(f"nothing to search: {reason}")
    worst = _worst_quality(trial, plan)
    values = [[_value(cost, record, worst) for record in records] for cost in plan.search.costs]
    # A trial that was killed after this is retried with its constraints, which Optuna lets nobody set twice.
    bounded = {bound: [bound.quantity.of(record) for record in records] for bound in plan.search.bounds}
    is_known = all(None not in of_runs for of_runs in (*values, *bounded.values()))
    constraints = {FAILED: 0.0 if status == "ok" and is_known else 1.0}
    constraints |= {bound.text: bound.excess(mean(v or 0.0 for v in of_runs)) for bound, of_runs in bounded.items()}
    for name, excess in constraints.items():
        if name not in stored(trial).constraints:
            trial.set_constraint(name, excess)
    return [mean(value or 0.0 for value in of_runs) for of_runs in values]


def _worst_quality(trial: Trial, plan: Plan) -> float:
    """What a failed trial is told to be worth: where there is no worst value, the worst of the trials so far."""
    metric = make_metric(plan.metric)
    if metric.higher_is_better:
        return WORST_QUALITY
    if metric.is_percent:
        return metric.range[1]
    ended = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    place = plan.search.objectives.index("quality") if "quality" in plan.search.objectives else None
    told = [other.values[place] for other in ended] if place is not None else []
    return max(told, default=WORST_ERROR)


def is_failed(trial: FrozenTrial) -> bool:
    """Whether a trial's run diverged, ran out of memory or failed: constraints are set at a trial's end only."""
    return trial.state == TrialState.COMPLETE and trial.constraints.get(FAILED, 0.0) > 0


def is_infeasible(trial: FrozenTrial) -> bool:
    """Whether a trial is outside the constraints of the search."""
    bounds = (excess for name, excess in trial.constraints.items() if name != FAILED)
    return trial.state == TrialState.COMPLETE and any(excess > 0 for excess in bounds)


def _value(cost: Quantity | None, record: Record, worst: float) -> float | None:
    """The quality where no cost is asked for; None for a cost that was not measured."""
    if cost:
        return cost.of(record)
    score = record.metric("validation")
    return score if record.status == "ok" and score is not None and math.isfinite(score) else worst


class Reports:
    """What a trial tells the pruner, so that trials are compared at equal data seen.

    A validation is reported at the examples seen so far, over all seeds. The Wilcoxon pruner pairs finished runs: each
    is reported at the index of its seed. A trial that is retried has reported some of this already: the pruner is asked
    again only from its last report on, as its earlier ones were passed.
    """

    def __init__(self, trial: Trial, plan: Plan, check_budget: Callable[[], None]) -> None:
        self._trial = trial
        self._check_budget = check_budget
        self._key = f"validation/{plan.metric}"
        self._has_curve = len(plan.search.objectives) == 1 and plan.search.pruner != "wilcoxon"
        self._has_runs = plan.search.pruner == "wilcoxon"
        self._batch_size = plan.spec.training.batch_size * plan.spec.training.accumulation_steps
        self._reported = set(stored(trial).intermediate_values)
        self._n_runs = 0
        self._steps_before = 0
        self._steps = 0

    @property
    def steps(self) -> int:
        """Optimizer steps of the trial, up to the last validation."""
        return self._steps_before + self._steps

    def on_validation(self, step: int, metrics: dict[str, float]) -> None:
        """Report a validation of a run in progress.

        Raises:
            TrialPruned: the trial ends here.
        """
        self._check_budget()
        self._steps = step
        if self._has_curve:
            self._report(self.steps * self._batch_size, metrics[self._key])
            self._prune(self.steps * self._batch_size)

    def run_ended(self, record: Record) -> None:
        """Report a finished run; one that was found finished has told no validations, so its stored ones are taken.

        Raises:
            TrialPruned: the trial ends here.
        """
        for point in record.curve:
            self._steps = int(point["step"])
            if self._has_curve:
                self._report(self.steps * self._batch_size, point[self._key])
        self._steps_before, self._steps = self.steps, 0
        score = record.metric("validation")
        if self._has_runs and score is not None:
            self._report(self._n_runs, score)
            self._prune(self._n_runs)
        self._n_runs += 1

    def _report(self, at: int, value: float) -> None:
        if at not in self._reported and math.isfinite(value):
            self._trial.report(value, at)
            self._reported.add(at)

    def _prune(self, at: int) -> None:
        if at == max(self._reported, default=at) and self._is_pruned(at):
            raise TrialPruned

    def _is_pruned(self, at: int) -> bool:
        """The pruner's verdict, stored together with what the pruner wants stored before it.

        Successive halving stores that a trial reached a rung and judges it afterwards. Killed in between, the trial
        would count as one that passed, and its value twice among those it is compared with.
        """
        verdict = stored(self._trial).user_attrs.get(VERDICT, {})
        if verdict.get("at") != at:
            is_pruned, attributes = judged(self._trial)
            verdict = {"at": at, "is_pruned": is_pruned, "attributes": attributes}
            if attributes:
                self._trial.set_user_attr(VERDICT, verdict)
        for key, value in verdict["attributes"].items():
            self._trial.storage.set_trial_system_attr(trial_id(self._trial), key, value)
        return bool(verdict["is_pruned"])
