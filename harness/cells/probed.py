"""Quantities of stored answers, for runs that were made without their probe."""

from collections.abc import Iterable, Sequence

from harness.core.errors import HarnessError
from harness.probe import PROBES, Measured, Probe, Quantity, probes_by_quantity
from harness.storage.predictions import AnswerPart, Read
from harness.storage.record import Record

SPLITS = ("validation", "test")


def _judging(quantities: Iterable[Quantity]) -> list[type[Probe]]:
    """The probes of some quantities that answers alone tell."""
    known = probes_by_quantity()
    probes = {known[quantity.name] for quantity in quantities}
    return sorted((probe for probe in probes if probe.judge is not Probe.judge), key=lambda probe: probe.name)


def needs_of_quantities(quantities: Iterable[Quantity]) -> frozenset[AnswerPart]:
    """What has to be read of predictions for them."""
    return frozenset().union(*(probe.needs for probe in _judging(quantities)))


def with_quantities(records: Sequence[Record], quantities: Sequence[Quantity], read: Read) -> list[Record]:
    """The records, with the quantities that their stored answers tell; nothing is written.

    A run that asked for the probe keeps what it has; others get the values of the probe's defaults, or its reason.
    """
    for probe in _judging(quantities):
        records = [_judged(probe, run, read) for run in records]
    return list(records)


def _judged(probe: type[Probe], run: Record, read: Read) -> Record:
    if run.status != "ok" or probe.name in {spec.name for spec in run.spec.probes}:
        return run
    names = [quantity.name for quantity in probe.quantities]
    answers = {split: found for split in SPLITS if (found := read(run, split)) is not None}
    try:
        values = PROBES.make(probe.name).judge(answers)
    except HarnessError as error:
        return run.model_copy(update={"measured_reasons": run.measured_reasons | dict.fromkeys(names, str(error))})
    plain = {name: one.value if isinstance(one, Measured) else one for name, one in values.items()}
    return run.model_copy(update={"measured": run.measured | plain})
