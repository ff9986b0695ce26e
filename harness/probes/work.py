"""Arithmetic of an answer and of a training step, and how much of the machine it uses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.probe import Probe, Quantity, Subject, Values
from harness.statistics.measured import mean_of

if TYPE_CHECKING:
    from harness.task import Example


class Work(Probe):
    """Floating-point operations, counted as torch dispatches them, a multiplication and an addition as two.

    Of the model as it is put to use and as it is trained without the cache of frozen blocks, one example at a time, so
    that no padding counts. The share of the peak is that of the same passes, against products of large matrices on this
    machine (model FLOPs utilization).
    """

    source: ClassVar[str] = (
        "torch.utils.flop_counter; Chowdhery et al. 2022, appendix B, https://arxiv.org/abs/2204.02311 (utilization)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("answer_flops", "operations of an answer"),
        Quantity("learning_flops", "operations of learning from an example once, forward and backward"),
        Quantity("learning_utilization_ratio", "their rate as a share of the machine's peak", higher_is_better=True),
    )

    n_examples: int = Field(16, ge=2, description="Examples of each kind that are counted.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """bitsandbytes' products pass by the counter."""
        return "operations of quantized layers can't be counted" if base.quantization != "none" else None

    def after(self, subject: Subject) -> Values:
        """Answers of test examples; learning from train where something is trained."""
        from harness.probes._flops import counted_answer, counted_step, peak_flops

        served, test = subject.served(), subject.splits["test"][: self.n_examples]
        answers = [float(counted_answer(served, one)) for one in test]
        found = {"answer_flops": mean_of(answers, _ids(test))}
        train = subject.splits["train"][: self.n_examples]
        if not any(parameter.requires_grad for parameter in served.model.parameters()):
            return found
        steps = [counted_step(served, one) for one in train]
        flops, seconds = (sum(step[part] for step in steps) for part in (0, 1))
        found["learning_flops"] = mean_of([float(step[0]) for step in steps], _ids(train))
        return found | {"learning_utilization_ratio": flops / seconds / peak_flops(served)}


def _ids(examples: "Sequence[Example]") -> list[str]:
    return [one.id for one in examples]
