"""The rows of each epoch, where recipes change the training examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.data.leakage import loose_key
from harness.formulation import Row
from harness.task import Example
from harness.training.hooks import Hooks, Trainee


@dataclass
class Epochs:
    """Makes the rows of an epoch, and counts the examples that a recipe has made.

    One whose text is in a split to be judged on, letters and digits compared, is not learned: the given example of its
    place is.
    """

    trainee: Trainee
    hooks: Hooks
    rows: Sequence[Row]
    n_made: int = field(default=0, init=False)
    n_put_back: int = field(default=0, init=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many examples were made, and of these put back; empty where none was."""
        return {"made": self.n_made, "put_back": self.n_put_back} if self.n_made else {}

    def __call__(self, epoch: int) -> Sequence[Row]:
        """The rows of an epoch, from 1; encoded anew only where a recipe changes the examples."""
        given = [row.example for row in self.rows]
        examples = self.hooks.examples(given, epoch)
        if examples is given:
            return self.rows
        known = {id(example) for example in given}
        learned = [
            example if id(example) in known else self._checked(example, before)
            for example, before in zip(examples, given, strict=True)
        ]
        return self.trainee.formulation.encode_training(learned)

    def _checked(self, made: Example, before: Example) -> Example:
        self.n_made += 1
        if loose_key(made) not in self.trainee.judged:
            return made
        self.n_put_back += 1
        return before
