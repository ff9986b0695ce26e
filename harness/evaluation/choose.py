"""The formulation of a run, by its name in the resolved spec."""

from harness.bases.load import Base
from harness.evaluation.formulation import Formulation
from harness.evaluation.generation import Generation
from harness.evaluation.head import ChoiceHead, Head, TokenHead
from harness.evaluation.likelihood import Likelihood
from harness.evaluation.similarity import Mask, Similarity
from harness.method import Scoring
from harness.spec import RunSpec
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
