"""What all methods of a comparison should have the same of, and which findings it is where they don't."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.spec import RunSpec
from harness.suites.finding import Fault, Finding, differing
from harness.suites.suite import SuiteRun


@dataclass(frozen=True)
class Shared:
    """Fields that methods should share, and what is wrong where they don't.

    Args:
        fields: Name → its value in a spec; ``section.field`` where it has no name of its own.
        reason: What the one method gains.
        remedy: What to change.
    """

    fault: Fault
    fields: Mapping[str, Callable[[RunSpec], Any]]
    reason: str
    remedy: str

    def findings(self, specs: Mapping[str, RunSpec]) -> Iterator[Finding]:
        """A finding for each field that differs, by label."""
        for name, value in self.fields.items():
            if differences := differing({label: value(spec) for label, spec in specs.items()}):
                what = f"{name} differs between methods: {differences}"
                yield Finding(self.fault, what, self.reason, self.remedy)


def _fields(section: str, *names: str) -> dict[str, Callable[[RunSpec], Any]]:
    def reader(name: str) -> Callable[[RunSpec], Any]:
        return lambda spec: getattr(getattr(spec, section), name)

    return {f"{section}.{name}": reader(name) for name in names}


OF_TRAINED = (
    Shared(
        "unequal_training",
        {
            "training.epochs": lambda spec: None if spec.training.max_steps else spec.training.epochs,
            "training.max_steps": lambda spec: spec.training.max_steps,
            "the batch (batch_size × accumulation_steps)": lambda spec: (
                spec.training.batch_size * spec.training.accumulation_steps
            ),
            **_fields("training", "eval_every", "patience"),
        },
        "a method that trains longer, or is selected among more checkpoints, is better for that reason alone",
        "set it once in [training]; a method that needs longer should lengthen all of them",
    ),
    Shared(
        "unequal_training",
        _fields("training", "weight_decay", "schedule", "warmup_ratio", "clip_norm", "precision"),
        "what one method alone is trained with was chosen for it, and is compared together with it",
        "set it once in [training]",
    ),
    Shared(
        "unequal_computation",
        {
            **_fields("training", "cache_trunk", "gradient_checkpointing"),
            **_fields("speed", "bulk_dropout", "first_token", "token_tree", "fused_layers"),
        },
        "seconds and memory are compared of methods that are computed differently, and the trunk's cache leaves out "
        "the dropout below the first trained block",
        "set it once in its section",
    ),
)
"""Of the methods that train."""

OF_ALL = (
    Shared(
        "unequal_data",
        _fields("task", "path", "train_limit", "train_per_class", "validation_limit", "test_limit"),
        "more training or validation examples are an advantage, and other test examples can't be paired",
        "set it once in [task]",
    ),
    Shared(
        "unequal_data",
        _fields("base", "max_length"),
        "the method with the longer inputs reads text that the others never see",
        "set it once in [base]",
    ),
)
"""Of every method."""

OF_ONE_FORMULATION = Shared(
    "unequal_prompts",
    {**_fields("prompt", "template", "format"), **_fields("evaluation", "n_beams", "max_new_tokens")},
    "a base answers one wording, or a wider search for the answer, better than another: the method gets the credit",
    "set it once in [prompt] or [evaluation]",
)
"""Of the methods that a base answers in the same way: a head reads no prompt."""


def check_equal(
    cells: Iterable[SuiteRun], specs: Mapping[str, RunSpec], trained: Mapping[str, RunSpec]
) -> Iterator[Finding]:
    """Findings about fields that one method alone has set.

    Args:
        cells: Of the suite.
        specs: One of each label.
        trained: Those of methods that train.
    """
    by_formulation: defaultdict[str | None, dict[str, RunSpec]] = defaultdict(dict)
    for cell in cells:
        by_formulation[cell.spec.formulation][cell.label] = cell.spec
    found = [finding for shared in OF_TRAINED for finding in shared.findings(trained)]
    found += [finding for shared in OF_ALL for finding in shared.findings(specs)]
    found += [finding for alike in by_formulation.values() for finding in OF_ONE_FORMULATION.findings(alike)]
    yield from dict.fromkeys(found)
