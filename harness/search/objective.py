"""One trial: the runs of one proposed configuration, reported to the pruner and judged by the objectives."""

import math
from collections.abc import Callable
from copy import copy
from statistics import mean

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, Trial

from harness.errors import SpecError
from harness.record import Record
from harness.search.plan import Plan, RunTrial
from harness.search.record import with_params
from harness.search.space import suggest
from harness.search.spec import Objective

RUNG = "completed_rung_"
"""Beginning of the names under which Optuna's successive halving stores the rungs that a trial has reached."""

OUTCOME = "outcome"
"""User attribute of a finished trial: its runs, steps and the reason of a failure."""

FAILED = "failed"
"""Constraint that a trial violates whose run diverged, ran out of memory or failed."""

WORST_QUALITY = 0.0
"""Told for a failed trial: no metric falls below it but correlations of a model worse than useless."""


def evaluate(trial: Trial, plan: Plan, run_trial: RunTrial, check_budget: Callable[[], None]) -> list[float]:
    """The objectives' values of a trial: means over the seeds of the search.

    Raises:
        TrialPruned: the pruner, or ``check_budget``, ended the trial.
        SpecError: the cell is skipped.
    """
    spec = with_params(plan.spec, {name: suggest(trial, name, range_) for name, range_ in plan.space.items()})
    reports = Reports(trial, plan, check_budget)
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
        trial.set_user_attr(OUTCOME, outcome)
    status = records[-1].status
    if status == "skipped":
        raise SpecError(f"nothing to search: {reason}")
    trial.set_constraint(FAILED, 0.0 if status == "ok" else 1.0)
    return [mean(_value(name, record) for record in records) for name in plan.search.objectives]


def is_failed(trial: FrozenTrial) -> bool:
    """Whether a trial's run diverged, ran out of memory or failed."""
    return any(value > 0 for value in trial.constraints.values())


def _value(objective: Objective, record: Record) -> float:
    match objective:
        case "quality":
            score = record.metric("validation")
            return WORST_QUALITY if record.status != "ok" or score is None else score
        case "trainable_params":
            return float(record.params.trainable)
        case "memory":
            return float(record.cost.peak_memory_bytes.train)
        case "seconds":
            return record.cost.train_seconds


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
        self._reported = set(trial.storage.get_trial(trial._trial_id).intermediate_values)
        self._retried_at = max(self._reported, default=None)
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
        if at != max(self._reported, default=at):
            return
        is_pruned = self._is_pruned_again() if at == self._retried_at else self._trial.should_prune()
        if is_pruned:
            raise TrialPruned

    def _is_pruned_again(self) -> bool:
        """The verdict on a report that was stored before the process died, maybe without the verdict.

        Successive halving stores that a trial has reached a rung before it judges it there, and passes a trial that has
        reached it. If the last report is what reached the highest rung, that rung is judged again; should an earlier
        report of the same value have reached it, it is passed as it was before.
        """
        study, trial = self._trial.study, self._trial.storage.get_trial(self._trial._trial_id)
        rungs = {int(key.removeprefix(RUNG)): key for key in trial.system_attrs if key.startswith(RUNG)}
        last = trial.intermediate_values[self._retried_at] if self._retried_at is not None else None
        if rungs and trial.system_attrs[rungs[max(rungs)]] == last:
            kept = {key: value for key, value in trial.system_attrs.items() if key != rungs[max(rungs)]}
            trial = copy(trial)
            trial.system_attrs = kept
        return study.pruner.prune(study, trial)
