"""What is asked of Optuna beyond its public names; nothing else in the program names what it keeps for itself."""

from copy import copy
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, QMCSampler, TPESampler
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import BaseStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial


def trial_id(trial: Trial | FrozenTrial) -> int:
    """What storages call a trial: unlike its number, unique over all studies of a database."""
    return trial._trial_id


def stored(trial: Trial) -> FrozenTrial:
    """A running trial as its storage has it."""
    return trial.storage.get_trial(trial_id(trial))


def sets_a_state(log: dict[str, Any]) -> bool:
    """Whether a journal's write sets the state of a trial, as one that ends it does."""
    return bool(log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES)


def first_number(trial: FrozenTrial) -> int:
    """The number of a trial, or of the one it retries: a database keeps a dead trial and adds its retry at the end."""
    return int(trial.system_attrs.get("failed_trial", trial.number))


class NumberedQMCSampler(QMCSampler):
    """The point of a Sobol sequence that belongs to a trial's number.

    Optuna counts points in the study, so a trial killed between counting and storing would lose one.
    """

    def __init__(self, number: int, seed: int, independent: BaseSampler) -> None:
        super().__init__(scramble=True, seed=seed, independent_sampler=independent, warn_independent_sampling=False)
        self._number = number

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def joint_tpe(seed: int, seen: IntersectionSearchSpace) -> TPESampler:
    """A TPE sampler of all parameters jointly; ``seen``, kept by the caller, is what finished trials have in common.

    A sampler of its own would read all trials again.
    """
    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True)
    sampler._search_space = seen
    return sampler


def judged(trial: Trial) -> tuple[bool, dict[str, Any]]:
    """The pruner's verdict on a trial as it is stored, and the attributes that the pruner wants stored with it.

    Nothing is written: successive halving would store that a trial reached a rung before it judges it there.
    """
    study = copy(trial.study)
    held_back = _HeldBack(trial.storage)
    study._storage = held_back  # type: ignore[assignment]
    return bool(study.pruner.prune(study, stored(trial))), held_back.attributes


class _HeldBack:
    """A storage that keeps the attributes which a pruner sets for the trial it judges."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.attributes: dict[str, Any] = {}

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep it."""
        self.attributes[key] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
