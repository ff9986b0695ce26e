"""The probe contract: whatever is measured of a run beside its metrics."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.errors import HarnessError, HarnessWarning, unknown
from harness.core.info import BaseInfo
from harness.core.plugins import Plugin, Registry
from harness.core.spec import ProbeSpec
from harness.core.units import Unit
from harness.task import Example, Task

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from harness.formulation import BoundFormulation
    from harness.recipe import Recipe
    from harness.storage.predictions import AnswerPart, Answers
    from harness.storage.record import Record

Phase = Literal["run", "pretrain", "load", "tokenize", "train", "eval", "report"]
"""What a run does; ``run`` is all of it, ``pretrain`` what recipes do to the base before it is loaded, ``report``
telling others of a validation (a search may end the run there)."""


@dataclass(frozen=True)
class Quantity:
    """A number that a probe gives, under one name in tables, figures, searches and the page.

    Args:
        name: Unique over all probes, with its unit as a suffix (``energy_joules``).
        description: One phrase.
        unit: Of the value as it is stored.
        higher_is_better: The direction of improvement.
        read: Where a record has it; default: under its name in ``measured``.
    """

    name: str
    description: str
    unit: Unit = ""
    higher_is_better: bool = False
    read: "Callable[[Record], float | None] | None" = None

    @property
    def label(self) -> str:
        """The name in words, for axes and heads."""
        return self.name.replace("_", " ")

    def of(self, record: "Record") -> float | None:
        """The value in a record, or None where it was not measured."""
        if self.name in record.measured_reasons:
            return None
        value = self.read(record) if self.read else record.measured.get(self.name)
        try:
            return None if value is None else float(value)
        except OverflowError:  # JSON's integers have no end
            return math.inf

    def loss(self, value: Any) -> Any:
        """The value, or an array of them, so that less is better."""
        return -value if self.higher_is_better else value


@dataclass(frozen=True)
class Measured:
    """A value with what is known of its uncertainty; ``harness.statistics.measured`` makes it of examples' values.

    Args:
        value: Of the quantity.
        interval: Ends of its 95 % interval over the examples that were looked at; None where they tell none.
        examples: Value of each example by its id, where the quantity is their mean; they are stored beside the record.
    """

    value: float
    interval: tuple[float, float] | None = None
    examples: Mapping[str, float] = field(default_factory=dict)


Values = Mapping[str, "float | Measured"]
"""What a probe gives, by name of quantity."""


@dataclass(frozen=True)
class Served:
    """A model put to use, and how it answers."""

    model: "nn.Module"
    formulation: "BoundFormulation"


@dataclass(frozen=True)
class Subject:
    """An adapted model under examination.

    ``head_names`` are the dotted names of the modules made for the task, ``formulation`` is how the model answers it,
    ``auto_class`` what the base was loaded as. ``splits`` are the examples of train, validation and test. ``answer``
    gives the model's answers to any examples of the task, as at test, and ``score`` what answers are worth in the
    task's primary metric. ``pool`` gives all training examples that there are, before a limit or folds: the same for
    every seed. ``answers`` has those to every split and task that was judged, once they are known.
    ``adapter`` is the folder of what is trained, None where nothing is. ``recipes`` are those it was trained with.

    ``unadapted`` loads the base anew as the method found it, or as another of transformers' auto classes. ``served``
    makes the adapted model anew as it would be put to use, from its files and without caches of this run, or with
    ``merged=True`` the plain checkpoint that it is merged into. ``ask`` gives the answers of a model of this run,
    adapted or not, to so many test examples of another task, without training and without a head.
    """

    model: "nn.Module"
    tokenizer: Any
    base: BaseInfo
    task: Task
    head_names: tuple[str, ...]
    formulation: "BoundFormulation"
    auto_class: str
    seed: int
    splits: Mapping[str, Sequence[Example]]
    answer: "Callable[[Sequence[Example]], Answers]"
    score: "Callable[[Answers], float]"
    unadapted: "Callable[..., nn.Module]"
    served: "Callable[..., Served]"
    ask: "Callable[[nn.Module, str, int], Answers]"
    adapter: "Path | None"
    pool: "Callable[[], Sequence[Example]]"
    answers: "Mapping[str, Answers]" = field(default_factory=dict)
    recipes: "Sequence[Recipe]" = ()


class Probe(Plugin):
    """Something to be measured; the fields of a subclass are its settings.

    Every hook does nothing unless it is overridden. State between hooks belongs in private attributes (pydantic's
    ``PrivateAttr``): each run has a probe of its own. Random numbers drawn, gradients and the training mode left behind
    in a hook don't reach the run. A probe that raises loses its own values, and the record says why.

    Values are finite numbers by name of quantity, or ``Measured`` with an interval and the examples' values; one may be
    left out where it is not defined. A name with a dot is a key of the record instead, which the standard probes'
    quantities read.
    """

    quantities: ClassVar[tuple[Quantity, ...]]
    is_standard: ClassVar[bool] = False
    """Whether every run has it; others are asked for by name."""
    is_of_process: ClassVar[bool] = False
    """Whether it measures this process where others may have trained the run too: not measured then."""
    needs: "ClassVar[frozenset[AnswerPart]]" = frozenset()
    """What ``judge`` reads beside targets and predictions."""

    def files(self) -> Sequence[str]:
        """Files of the user's that its settings name: what they hold is part of a run's identity."""
        return ()

    def reads(self, base: BaseInfo) -> Sequence[str]:
        """Tasks whose examples it reads, beside the run's own: these are part of a run's identity."""
        return ()

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Held while a phase of the run lasts, also where it fails.

        ``run`` is entered once and holds all others. ``eval`` and ``report`` come more than once: those of
        validations lie inside ``train``.
        """
        yield

    def before(self, subject: Subject) -> None:
        """Called when the method is applied and nothing is trained yet."""

    def after(self, subject: Subject) -> Mapping[str, Any]:
        """Values of the chosen checkpoint, once the test is answered; by default what the answers alone tell."""
        return self.judge(subject.answers)

    def judge(self, answers: "Mapping[str, Answers]") -> Values:
        """Values of the answers to validation and test alone: tables ask for them of runs made without the probe.

        Raises:
            SpecError: answers that tell nothing.
        """
        return {}

    def spent(self) -> Mapping[str, Any]:
        """Values of what the phases took, asked at the end of every run, of a failed one too."""
        return {}


PROBES = Registry("probe", "harness.probes", Probe)
"""Every probe: a file in harness/probes/, or an entry point."""


def make_probe(spec: ProbeSpec) -> Probe:
    """The probe with its settings.

    Raises:
        SpecError: an unknown probe, or every field that is wrong.
    """
    return PROBES.make(spec.name, spec.settings, prefix=f"probe.{spec.name}")


def probes_by_quantity() -> dict[str, type[Probe]]:
    """Name of every quantity → what gives it; a probe that can't be imported is left out with a ``HarnessWarning``.

    Raises:
        HarnessError: two probes give a quantity of the same name.
    """
    found: dict[str, type[Probe]] = {}
    for name in PROBES.names():
        try:
            probe = PROBES.find(name)
        except HarnessError as error:
            warnings.warn(f"a probe is left out: {error}", HarnessWarning, stacklevel=2)
            continue
        for quantity in probe.quantities:
            if quantity.name in found:
                raise HarnessError(f"probes {found[quantity.name].name!r} and {name!r} both give {quantity.name}")
            found[quantity.name] = probe
    return found


def quantities() -> dict[str, Quantity]:
    """Every quantity by name, those that every run has first."""
    probes = probes_by_quantity()
    of_probes = sorted(set(probes.values()), key=lambda probe: (not probe.is_standard, probe.name))
    return {quantity.name: quantity for probe in of_probes for quantity in probe.quantities}


def find_quantities(names: Iterable[str], what: str = "cost") -> tuple[Quantity, ...]:
    """The quantities of some names, of which that of a probe means all that it gives.

    Args:
        names: In the order wanted.
        what: What an error calls them.

    Raises:
        SpecError: an unknown name.
    """
    known = quantities()
    of_probes = {probe.name: probe.quantities for probe in probes_by_quantity().values()}
    found: dict[str, Quantity] = {}
    for name in names:
        if name not in known and name not in of_probes:
            raise unknown(what, name, {*known, *of_probes})
        found |= {one.name: one for one in of_probes.get(name, ())} if name in of_probes else {name: known[name]}
    return tuple(found.values())
