"""How few spoiled words turn a right answer into a wrong one."""

import random
from typing import ClassVar

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.core.seeds import derive
from harness.probe import Probe, Quantity, Subject, Values
from harness.probes._perturbations import swapped
from harness.probes._texts import with_words, words_of
from harness.statistics.measured import mean_of
from harness.task import Example


class Attack(Probe):
    """A greedy attack with a budget of questions: words by their importance, two inner letters of each swapped.

    A word's importance is what the target's score loses without it. A reader still reads the text, so a model should.
    Only the first text of a pair is attacked, and only what was answered right; of a text of more words than the budget
    the first ones.
    """

    source: ClassVar[str] = (
        "Gao et al. 2018, https://arxiv.org/abs/1801.04354 (DeepWordBug's swaps); Jin et al. 2020, "
        "https://arxiv.org/abs/1907.11932 (importance of words)"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("attack_success", "share of right answers that the attack turned within its budget"),
        Quantity("attack_questions", "questions asked of a turned or given-up answer", higher_is_better=True),
    )

    n_examples: int = Field(50, ge=2, description="Test examples; the attack is on those answered right.")
    budget: int = Field(50, ge=2, description="Questions asked of the model for each.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only labels and choices have a score to lose."""
        is_able = task.kind in ("classification", "multiple_choice")
        return None if is_able else f"an attack needs scores of labels or choices; this is {task.kind}"

    def after(self, subject: Subject) -> Values:
        """Over the examples that were answered right."""
        examples = subject.splits["test"][: self.n_examples]
        answers = subject.answer(examples)
        right = [one for one, hit in zip(examples, answers.targets == answers.predictions, strict=True) if hit]
        if not right:
            return {}
        results = [self._attack(subject, example) for example in right]
        ids = [example.id for example in right]
        return {
            "attack_success": mean_of([float(turned) for turned, _ in results], ids),
            "attack_questions": mean_of([float(asked) for _, asked in results], ids),
        }

    def _attack(self, subject: Subject, example: Example) -> tuple[bool, int]:
        """Whether the answer was turned, and how many questions that took."""
        target, words = example.target, words_of(subject.task, example)
        assert isinstance(target, int)
        draw = random.Random(derive(0, f"attack/{' '.join(words)}"))
        spoiled = [swapped(word, draw) for word in words]
        able = [place for place, word in enumerate(words) if spoiled[place] != word][: self.budget - 1]
        if not able:
            return False, 0
        without = [with_words(subject.task, example, words[:place] + words[place + 1 :]) for place in able]
        scores = subject.answer(without).scores
        assert scores is not None  # of labels and choices
        importance = scores[:, target] - np.nanmax(np.delete(scores, target, axis=1), axis=1)
        asked = len(able)
        for place in (able[rank] for rank in np.argsort(importance, kind="stable")):
            if asked == self.budget:
                break
            words[place] = spoiled[place]
            asked += 1
            (prediction,) = subject.answer([with_words(subject.task, example, words)]).predictions
            if prediction != target:
                return True, asked
        return False, asked
