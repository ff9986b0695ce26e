"""The memory that a run will need, told before it trains."""

from dataclasses import dataclass, replace
from itertools import islice

from harness import data
from harness.formulation import Row
from harness.measure.memory import PhaseMemory, memory_kind
from harness.recipe import count_passes
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.predict import predict
from harness.runs.resolve import Resolved
from harness.speed.allocator import keep_large_buffers
from harness.storage.checkpoint import trainable
from harness.task import Example
from harness.training.batches import passes, planned_steps, step_rows
from harness.training.hooks import Hooks, Trainee
from harness.training.step import Step

PROBED_ROWS = (1, 2, 6)
"""Rows of the passes that are measured; the first one only brings the weights in from their file."""
MOMENTS = 2
"""What AdamW keeps of each trained parameter."""


@dataclass(frozen=True)
class Forecast:
    """Bytes at the peak of training, by what they are for.

    ``fixed`` does not depend on the batch: weights and their gradients, and on the CPU the interpreter with its
    libraries (resident memory counts them). ``batch`` is what the largest pass of training adds, ``n_rows`` rows of
    ``n_tokens`` each: activations, their gradients, gaps in the heap; on the CPU, where the heap of a validation stays,
    what a validation adds if that is more. ``trained`` is the optimizer's state and the copy of the best checkpoint,
    which is kept on the CPU.
    """

    fixed: int
    batch: int
    trained: int
    n_rows: int
    n_tokens: int
    n_steps: int
    passes: float = 1.0
    """Forward and backward passes over the rows of a step, as a multiple of plain training's."""

    @property
    def total(self) -> int:
        """Comparable with ``cost.peak_memory_bytes.train`` of the record."""
        return self.fixed + self.batch + self.trained


def forecast(run: Resolved) -> Forecast | None:
    """What training will need, or None where nothing is trained.

    Loads the base, reads the data, and takes steps on a few copies of the longest example without moving a weight:
    memory grows linearly with the rows of a pass, so its peak at 2 and at 6 rows tells that of the largest pass.

    Raises:
        SpecError, SourceError: wrong input, as ``run`` raises them.
    """
    keep_large_buffers()
    if not run.method.trains:
        return None
    splits, _ = data.load(run.task, run.spec.task, run.spec.seed)
    run = replace(run, task=data.scaled(run.task, splits.train))
    n_steps = planned_steps(run.spec, len(splits.train))
    adapted = adapt(run, load_base(run), n_steps)
    taken = _largest_pass(adapted, adapted.formulation.encode_training(splits.train), n_steps)
    longest = max(taken, key=lambda row: row.length)
    gradients = _gradients(run, adapted, n_steps)
    peaks = {n: _peak_of_step(gradients, [longest] * n) for n in PROBED_ROWS}
    few, more = PROBED_ROWS[1:]
    per_row = (peaks[more] - peaks[few]) // (more - few)
    fixed = peaks[few] - few * per_row
    answering = _peak_of_answering(adapted, splits.validation) if memory_kind() == "rss" else 0
    state = sum(parameter.nbytes for parameter in trainable(adapted.model).values())
    return Forecast(
        fixed=fixed,
        batch=max(len(taken) * per_row, answering - fixed),
        trained=state * (MOMENTS + (memory_kind() == "rss")),
        n_rows=len(taken),
        n_tokens=longest.length,
        n_steps=n_steps,
        passes=count_passes(run.recipes),
    )


def _largest_pass(adapted: Adapted, rows: list[Row], n_steps: int) -> list[Row]:
    """The pass of the whole run that pads to the most tokens."""
    spec, max_padding = adapted.formulation.spec, adapted.formulation.max_padding(adapted.model)
    taken = islice(step_rows(rows, spec), n_steps)
    made = (part for step in taken for part in passes(step, spec.training.batch_size, max_padding))
    return max(made, key=lambda part: len(part) * max(row.length for row in part))


def _gradients(run: Resolved, adapted: Adapted, n_steps: int) -> Step:
    """A step of the run, with its recipes."""
    trainee = Trainee(adapted.model, run.method, adapted.formulation, run.recipes, adapted.added)
    hooks = Hooks(run.method, run.recipes, trainee.training(n_steps))
    hooks.begin()
    return Step(trainee, hooks)


def _peak_of_step(gradients: Step, rows: list[Row]) -> int:
    """Bytes at the peak of a step of one pass; its gradients stay, as they do between a step's passes."""
    model, formulation = gradients.trainee.model.train(), gradients.trainee.formulation
    memory = PhaseMemory()
    with memory.phase("step"):
        gradients([formulation.collate(rows, next(model.parameters()).device)])
    return memory.peaks["step"]


def _peak_of_answering(adapted: Adapted, examples: list[Example]) -> int:
    """Bytes at the peak of a validation's first batch, which is that of its longest rows."""
    formulation, memory = adapted.formulation, PhaseMemory()
    rows = formulation.encode(examples)
    longest = sorted(rows, key=formulation.size)[-formulation.spec.evaluation.batch_size :]
    with memory.phase("answer"):
        predict(adapted.model, formulation, longest)
    return memory.peaks["answer"]
