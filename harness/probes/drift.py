"""Where in the model the method changed what is computed."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.probe import Measured, Probe, Quantity, Subject, Values

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Drift(Probe):
    """How unlike the hidden states of each block became to the base's, on the texts of the test: 1 - linear CKA.

    Values of the blocks are stored as those of examples, from ``embeddings`` to the last.
    """

    source: ClassVar[str] = "Kornblith et al. 2019, section 3, https://arxiv.org/abs/1905.00414"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("states_drift", "1 - CKA of tokens' states with the base's, mean over the blocks"),
        Quantity("last_state_drift", "the same of the last block"),
    )

    n_examples: int = Field(64, ge=2, description="Test examples read, cut to 64 tokens.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Two stacks have no one order of blocks."""
        return "drift is measured in bases of one stack" if base.kind == "encoder_decoder" else None

    def after(self, subject: Subject) -> Values:
        """Over all tokens of the texts."""
        from harness.probes._states import token_states

        texts = [one.fields[subject.task.text[0]] for one in subject.splits["test"][: self.n_examples]]
        models = subject.model, subject.unadapted()
        now, before = (token_states(model, subject.tokenizer, texts) for model in models)
        drifts = [1 - cka(one, other) for one, other in zip(now, before, strict=True)]
        names = ["embeddings", *(f"block {number}" for number in range(len(drifts) - 1))]
        return {
            "states_drift": Measured(float(np.mean(drifts)), examples=dict(zip(names, drifts, strict=True))),
            "last_state_drift": drifts[-1],
        }


def cka(x: "NDArray[np.float64]", y: "NDArray[np.float64]") -> float:
    """Linear centered kernel alignment of two representations of the same N tokens, shape (N, D) each: 0 to 1.

    1 where one is constant and the other too, 0 where only one is.
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    if scale == 0:
        return float(not x.any() and not y.any())
    return float(np.linalg.norm(y.T @ x) ** 2 / scale)
