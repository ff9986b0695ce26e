"""The Optuna study of one cell: method × task × base × quantization."""

import math
import time
import warnings
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, TrialPruned
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from harness.core.errors import HarnessWarning, StorageError
from harness.core.space import Space
from harness.core.spec import RunSpec
from harness.libraries.optuna import first_number
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.search.objective import OUTCOME, evaluate, is_failed, is_infeasible
from harness.search.plan import OnValidation, Plan, RunTrial, make_plan
from harness.search.record import StudyRecord, TrialRecord, TrialStatus, best_trials, find_studies
from harness.search.samplers import make_pruner, make_sampler, max_trials
from harness.search.spec import SearchSpec
from harness.search.storage import STARTED, SharedStorage, open_storage
from harness.storage.files import write_json
from harness.storage.record import Record
from harness.storage.store import Store

POLL_SECONDS = 0.2
"""Pause of a process that waits for the others' last trials."""


def search_cell(
    spec: RunSpec,
    search: SearchSpec,
    results: Path = Path("results"),
    *,
    storage: str | None = None,
    space: Space | None = None,
    run_trial: RunTrial | None = None,
    checkpoint_every: int | None = None,
) -> StudyRecord:
    """Search one cell until its budget is spent; go on with its study if there is one.

    A trial counts against ``search.trials`` when its runs ended or the pruner ended them, whatever came of it: a method
    that diverges easily gets no further tries for that. A trial whose run diverged, ran out of memory or failed is told
    to Optuna as a complete but infeasible one with the worst quality, which every sampler learns from and no best trial
    is chosen from. An interrupted trial (exception, Ctrl-C, SIGKILL) is run again, here or in another process.

    Args:
        spec: The cell. Hyperparameters and a learning rate given here are not searched; its seed is not used.
        search: Budget, sampler, pruner, objectives, seeds.
        results: Folder of runs and studies.
        storage: Database URL to share the study between machines; default: a journal file in ``results/studies``.
        space: Instead of the method's own space and the learning rate.
        run_trial: What runs a spec; default: ``harness.runs.run``.
        checkpoint_every: Steps after which the state of a trial's run is kept, from which an interrupted one goes on.

    Raises:
        SpecError: wrong input, an unusable storage, or a cell that is skipped, with its reason.
        SourceError: the examples are out of reach.
        StorageError: the disk is full.
    """
    plan = make_plan(spec, search, space)
    with open_storage(storage, results / "studies", plan.name) as shared:
        study = optuna.create_study(
            study_name=plan.name,
            storage=shared.storage,
            directions=[plan.direction(cost) for cost in search.costs],
            sampler=make_sampler(search.sampler, search.seeds[0], plan.space, plan.default),
            load_if_exists=True,
        )
        if not study.get_trials(deepcopy=False):
            _tell_of_others(plan, results)
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study.set_metric_names(list(search.objectives))
        loop = Search(plan, study, shared, run_trial or _run_into(results, checkpoint_every))
        try:
            loop.run()
        finally:
            record = summarize(loop)
            _write(record, results / "studies" / f"{plan.name}.json")
    return record


def _write(record: StudyRecord, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".json.lock")):
            write_json(path, record.model_dump(mode="json"))
    except OSError as error:
        raise StorageError(f"can't write {path}: {error}; free some room and search again") from None


def _tell_of_others(plan: Plan, results: Path) -> None:
    """Warn of earlier studies of the same command that a new study does not go on with."""
    budget = {"trials", "budget_seconds"}
    others = [
        study.name
        for study in find_studies(results)
        if study.name.rpartition("-")[0] == plan.name.rpartition("-")[0]
        and (study.spec.method, study.spec.training) == (plan.spec.method, plan.spec.training)
        and study.search.model_dump(exclude=budget) == plan.search.model_dump(exclude=budget)
    ]
    if others:
        text = "of other examples, another metric or other versions: it is kept, and not gone on with"
        warnings.warn(f"study {plan.name} is new; {', '.join(others)} is {text}", HarnessWarning, stacklevel=3)


def _run_into(results: Path, checkpoint_every: int | None) -> RunTrial:
    def run_trial(spec: RunSpec, on_validation: OnValidation) -> Record:
        # Imports torch, which a finished study has no use for.
        from harness.runs.run import run

        try:
            return run(spec, results, on_validation=on_validation, checkpoint_every=checkpoint_every)
        except TrialPruned:
            Store(results).checkpoint(identify(resolve(spec))).unlink(missing_ok=True)  # nobody goes on with it
            raise

    return run_trial


class Interrupted(BaseException):
    """Carries an exception past Optuna, which would mark the trial as finished: it stays running, and is retried."""


class OneTooMany(Exception):
    """Another machine claimed the last trial of the budget at the same moment."""


class Search:
    """The loop over trials."""

    def __init__(self, plan: Plan, study: Study, shared: SharedStorage, run_trial: RunTrial) -> None:
        self.plan = plan
        self.study = study
        self.shared = shared
        self.run_trial = run_trial
        self.n_trials = min(plan.search.trials or math.inf, max_trials(plan.search.sampler, plan.space))
        self._running: tuple[int, float] | None = None  # number, and the time that no clock change moves

    def run(self) -> None:
        """Run trials until the budget is spent."""
        while True:
            with self.shared.turn():
                self.shared.requeue_dead(self.study)
                trials = self.study.get_trials(deepcopy=False)
                if self.is_spent(trials):
                    return
                if self.has_place(trials):
                    self._run_one()
                    continue
            time.sleep(POLL_SECONDS)

    def is_spent(self, trials: list[FrozenTrial]) -> bool:
        """Whether nothing is left of the budget, or of a grid."""
        return sum(map(has_ended, trials)) >= self.n_trials or self.seconds_left(trials) <= 0

    def has_place(self, trials: list[FrozenTrial]) -> bool:
        """Whether a trial may begin: one waits to be retried, or those that run leave room for another one."""
        return n_places(trials) < self.n_trials or any(trial.state == TrialState.WAITING for trial in trials)

    def seconds_left(self, trials: list[FrozenTrial]) -> float:
        """Seconds of trials left, those of running ones counted until now; infinite with a budget of trials."""
        budget = self.plan.search.budget_seconds
        if budget is None:
            return math.inf
        return budget - sum(self._seconds(trial) for trial in trials if trial.state != TrialState.FAIL)

    def _seconds(self, trial: FrozenTrial) -> float:
        """How long a trial ran, or has been running."""
        if trial.state.is_finished():
            return float(trial.user_attrs.get(OUTCOME, {}).get("seconds", 0.0))
        if self._running and self._running[0] == trial.number:
            return time.monotonic() - self._running[1]
        number, started = trial.user_attrs.get(STARTED) or (None, 0.0)
        return max(0.0, time.time() - started) if number == trial.number else 0.0

    def _run_one(self) -> None:
        self.study.pruner = make_pruner(self.plan.search.pruner, self.study)
        try:
            self.study.optimize(self._objective, n_trials=1, catch=(OneTooMany,))
        except Interrupted as interrupted:
            raise interrupted.__cause__ or interrupted from None
        except AssertionError as error:
            # Where a trial's end can't be written, Optuna stumbles over its state and hides why.
            raise error.__context__ if isinstance(error.__context__, StorageError) else error from None

    def _objective(self, trial: Trial) -> list[float]:
        self._running = trial.number, time.monotonic()
        trial.set_user_attr(STARTED, [trial.number, time.time()])
        self.shared.claim(trial)
        if n_places(self.study.get_trials(deepcopy=False)[: trial.number]) >= self.n_trials:
            raise OneTooMany
        try:
            return evaluate(trial, self.plan, self.run_trial, self._check_time)
        except TrialPruned:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise Interrupted from error

    def _check_time(self) -> None:
        has_limit = self.plan.search.budget_seconds is not None
        if has_limit and self.seconds_left(self.study.get_trials(deepcopy=False)) <= 0:
            raise TrialPruned("the budget is spent")


def has_ended(trial: FrozenTrial) -> bool:
    """Whether a trial counts against the budget: it ended by itself or by the pruner, and was not interrupted."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def n_places(trials: list[FrozenTrial]) -> int:
    """How many trials of the budget have ended, are running or waiting."""
    return sum(has_ended(trial) or not trial.state.is_finished() for trial in trials)


def summarize(search: Search) -> StudyRecord:
    """What is known of a study so far."""
    plan, trials = search.plan, search.study.get_trials(deepcopy=False)
    ended = [_summarize_trial(trial) for trial in trials if has_ended(trial)]
    ended.sort(key=lambda trial: trial.number)
    return StudyRecord(
        name=plan.name,
        spec=plan.spec,
        search=plan.search,
        metric=plan.metric,
        trials=ended,
        best=best_trials(ended, plan.search, plan.metric),
        is_finished=search.is_spent(trials),
    )


def _status(trial: FrozenTrial) -> TrialStatus:
    if trial.state == TrialState.PRUNED:
        return "pruned"
    return "failed" if is_failed(trial) else "infeasible" if is_infeasible(trial) else "complete"


def _summarize_trial(trial: FrozenTrial) -> TrialRecord:
    return TrialRecord(
        number=first_number(trial),
        status=_status(trial),
        params=trial.params,
        values=trial.values or [],
        **trial.user_attrs[OUTCOME],
    )
