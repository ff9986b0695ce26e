"""Whether the words that are said to matter do."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.core.seeds import derive
from harness.probe import Probe, Quantity, Subject, Values
from harness.statistics.measured import mean_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Example

SHARES = (0.05, 0.1, 0.2, 0.5)
"""Of the words, that are taken away or kept; values are means over them (AOPC)."""


class Faithfulness(Probe):
    """Attributions to words, judged by what the model answers without them, and with nothing else.

    Of the probability of the label that the model gave, on test examples of two words or more.
    """

    source: ClassVar[str] = (
        "DeYoung et al. 2020, section 5, https://arxiv.org/abs/1911.03429; Sundararajan et al. 2017, "
        "https://arxiv.org/abs/1703.01365 (integrated gradients); Abnar and Zuidema 2020, "
        "https://arxiv.org/abs/2005.00928 (attention rollout)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("comprehensiveness", "probability lost without the words attributed to", higher_is_better=True),
        Quantity("comprehensiveness_gain", "that, less what is lost without random words", higher_is_better=True),
        Quantity("sufficiency", "probability lost where only the words attributed to are left"),
    )

    attribution: Literal["occlusion", "gradient_x_input", "integrated_gradients", "attention_rollout"] = Field(
        "occlusion", description="How words are weighed; all others need a head, gradients captum too."
    )
    n_examples: int = Field(40, ge=2, description="Test examples looked at.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only labels and choices have a probability."""
        is_able = task.kind in ("classification", "multiple_choice")
        return None if is_able else f"faithfulness needs probabilities of labels or choices; this is {task.kind}"

    def after(self, subject: Subject) -> Values:
        """Means over the examples."""
        from harness.probes._texts import words_of

        examples = [one for one in subject.splits["test"] if len(words_of(subject.task, one)) > 1][: self.n_examples]
        if not examples:
            return {}
        rows = np.array([self._judged(subject, one) for one in examples])
        ids = [one.id for one in examples]
        lost, random, left = (rows[:, column] for column in range(3))
        return {
            "comprehensiveness": mean_of(lost, ids),
            "comprehensiveness_gain": mean_of(lost - random, ids),
            "sufficiency": mean_of(left, ids),
        }

    def _judged(self, subject: Subject, example: "Example") -> "NDArray[np.float64]":
        """Comprehensiveness, that of random words, and sufficiency."""
        from harness.probes._attribution import ATTRIBUTIONS, probabilities
        from harness.probes._texts import with_words, words_of

        words, label = words_of(subject.task, example), int(subject.answer([example]).predictions[0])
        weights = ATTRIBUTIONS[self.attribution](subject, example, label)
        order = np.argsort(-weights, kind="stable")
        shuffled = np.random.default_rng(derive(0, f"words/{example.id}")).permutation(len(words))
        changed = [
            with_words(subject.task, example, [word for at, word in enumerate(words) if (at in set(rank[:n])) == kept])
            for rank, kept in ((order, False), (shuffled, False), (order, True))
            for n in (math.ceil(share * len(words)) for share in SHARES)
        ]
        whole, *others = probabilities(subject, [example, *changed], label)
        return np.asarray(whole - np.array(others).reshape(3, len(SHARES)).mean(axis=1))
