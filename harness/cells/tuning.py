"""Which runs have tuned settings, which the published ones, and which were trials of a search."""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from harness.cells.cells import TUNING
from harness.cells.race import find_races, label_races
from harness.core.errors import HarnessError, HarnessWarning
from harness.core.spec import RunSpec
from harness.method import METHODS
from harness.search.record import StudyRecord, find_studies, with_params
from harness.storage.record import Record
from harness.storage.store import Store

DEFAULT = "default"


def labelled_records(store: Store) -> list[Record]:
    """The records of a results folder, labelled by its studies and its races."""
    records = [_completed(record) for record in store.records()]
    return label_tuning(label_races(records, find_races(store.results)), find_studies(store.results))


def _completed(record: Record) -> Record:
    """With the fields that its method has got since: a run from before is one at their defaults."""
    method = record.spec.method
    settings, defaults = method.settings, _defaults(method.name)
    if defaults.keys() <= settings.keys():
        return record
    return record.model_copy(update={"spec": record.spec.updated(method=defaults | settings)})


@cache
def _defaults(method: str) -> dict[str, Any]:
    """A method's settings as published; empty where it is not installed."""
    try:
        return METHODS.make(method).model_dump(mode="json")
    except HarnessError:
        return {}


def label_tuning(records: Iterable[Record], studies: Sequence[StudyRecord]) -> list[Record]:
    """The records, with a field ``tuning`` where a study has searched their cell.

    It is ``default`` for the settings of trial 0, and ``best of N trials`` for those of a trial that was the best of
    the first N ones; a default that was never beaten is both and comes twice, each time with the same runs, and one
    without a rival is the default alone. Runs of other trials, and of the best settings on the seeds of the search, are
    left out: they chose the settings, so they are no results.
    """
    if not studies:
        return list(records)
    trials: defaultdict[str, list[tuple[StudyRecord, int]]] = defaultdict(list)
    for study in studies:
        try:
            keys = [_key(with_params(study.spec, trial.params)) for trial in study.trials]
        except HarnessError as error:
            warnings.warn(f"study {study.name} labels no run: {error}", HarnessWarning, stacklevel=2)
            continue
        for key, trial in zip(keys, study.trials, strict=True):
            trials[key].append((study, trial.number))
    return [labelled for record in records for labelled in _label(record, trials.get(_key(record.spec), []))]


def _key(spec: RunSpec) -> str:
    return spec.model_copy(update={"seed": 0}).model_dump_json()


def _label(record: Record, trials: Sequence[tuple[StudyRecord, int]]) -> list[Record]:
    labels: dict[str, StudyRecord] = {}
    for study, number in trials:
        n_trials = study.n_trials_won.get(number, 0)
        # The best of one trial was not chosen: a method without settings to search is not tuned.
        is_best = n_trials > 1 and not (number == 0 and n_trials < len(study.trials))
        if is_best and record.spec.seed in study.search.seeds:
            continue
        if number == 0:
            labels.setdefault(DEFAULT, study)
        if is_best:
            labels.setdefault(f"best of {n_trials} trials", study)
    if not trials:
        return [record]
    return [
        record.model_copy(update={"tuning": label, "tuned_by": study.search.means}) for label, study in labels.items()
    ]


def tuning_sentence(records: Iterable[Record]) -> str:
    """How the tuned settings among the records were found, for a footer; empty where nothing was tuned."""
    tuned = [record for record in records if getattr(record, TUNING, DEFAULT) != DEFAULT]
    means = sorted({str(getattr(record, "tuned_by", "")) for record in tuned})
    if not means:
        return ""
    sentence = f"Tuned on validation, the published default being the first trial: {'; '.join(means)}."
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for record in tuned:
        methods[str(getattr(record, TUNING))].add(record.spec.method.name)
    if len(methods) < 2:
        return sentence
    budgets = "; ".join(f"{', '.join(sorted(names))} {label}" for label, names in sorted(methods.items()))
    return f"{sentence} The budgets are unequal, an advantage of the larger ones: {budgets}."
