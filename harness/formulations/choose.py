"""The formulation of a run, by its name in the resolved spec."""

from harness.bases.load import Base
from harness.core.spec import RunSpec
from harness.formulations.formulation import Formulation
from harness.formulations.generation import Generation
from harness.formulations.head import ChoiceHead, Head, TokenHead
from harness.formulations.likelihood import Likelihood
from harness.formulations.similarity import Mask, Similarity
from harness.method import Scoring
from harness.task import Task


def make_formulation(spec: RunSpec, task: Task, base: Base, scoring: Scoring) -> Formulation:
    """How this base answers this task.

    Raises:
        SpecError: the prompt options don't fit the task or the base.
    """
    if spec.formulation == "likelihood":
        return Likelihood(task, base, spec, scoring)
    if spec.formulation == "generation":
        return Generation(task, base, spec, scoring)
    if spec.formulation == "head" and task.kind == "multiple_choice":
        return ChoiceHead(task, base, spec)
    classes: dict[str, type[Head]] = {"head": Head, "token_head": TokenHead, "similarity": Similarity, "mask": Mask}
    return classes[spec.formulation or "head"](task, base, spec)
