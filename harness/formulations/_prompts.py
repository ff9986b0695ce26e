"""Prompts and answers of language models: template, chat format, few-shot examples, calibration texts."""

import random
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from harness.core import template
from harness.core.deadline import deadline
from harness.core.errors import SpecError
from harness.core.seeds import derive
from harness.core.spec import PromptSpec
from harness.formulations._neighbours import Neighbours
from harness.formulations._tagging import tags_to_text
from harness.method import Scoring
from harness.task import Example, Task

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Inputs without content of Zhao et al. 2021, section 5, https://arxiv.org/abs/2102.09690."""

TEMPLATE_SECONDS = 10.0
TEMPLATE_IS_SLOW = (
    f"prompt.format: the base's chat template takes over {TEMPLATE_SECONDS:g} s for one prompt; use 'plain'"
)


@dataclass
class Prompts:
    """Renders prompts and choices of one task for one base."""

    task: Task
    spec: PromptSpec
    tokenizer: PreTrainedTokenizerBase
    shots: list[Example] = field(default_factory=list)
    neighbours: Neighbours | None = None

    def __post_init__(self) -> None:
        """Check the template index and that a chat template exists."""
        if self.spec.template >= len(self.task.templates):
            raise SpecError(
                f"prompt.template: task {self.task.name} has {len(self.task.templates)} templates "
                f"(0 to {len(self.task.templates) - 1}); got {self.spec.template}"
            )
        if self.spec.format == "chat" and not self.tokenizer.chat_template:
            raise SpecError("prompt.format: this base has no chat template; use 'plain'")

    def prompt(self, example: Example) -> str:
        """What the model reads before its answer."""
        asked = template.fill(self._template, example.fields)
        shots = self.neighbours.of(example) if self.neighbours else self.shots
        if self.spec.format == "plain":
            solved = [template.fill(self._template, shot.fields) + self._solution(shot) for shot in shots]
            return "\n\n".join([*solved, asked])
        messages = []
        for shot in shots:
            messages += [
                {"role": "user", "content": template.fill(self._template, shot.fields)},
                {"role": "assistant", "content": self._solution(shot).strip()},
            ]
        messages.append({"role": "user", "content": asked})
        with deadline(TEMPLATE_SECONDS, TEMPLATE_IS_SLOW):
            text = str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        return text.removeprefix(self._own_beginning())

    def _own_beginning(self) -> str:
        """The beginning-of-text token where the tokenizer adds it by itself: a chat template that has it too would
        double it."""
        beginning = self.tokenizer.bos_token_id
        added = beginning is not None and self.tokenizer("a")["input_ids"][0] == beginning
        return str(self.tokenizer.bos_token) if added else ""

    def content_free(self, text: str) -> str:
        """The prompt with every field replaced by the same text."""
        fields = dict.fromkeys(self.columns, text)
        return self.prompt(Example("content-free", fields, 0))

    def choices(self, example: Example) -> tuple[str, ...]:
        """The answers to choose from, as they continue the prompt."""
        choices = tuple(f" {choice}" for choice in example.choices) or self.task.verbalizers
        return tuple(choice.strip() for choice in choices) if self.spec.format == "chat" else choices

    def choose_shots(self, train: Sequence[Example], scoring: Scoring, seed: int) -> None:
        """Take examples from train: for each question those most like it, or for all questions the same.

        The same for all are drawn by the seed, in turn from every label, so that they are balanced.
        """
        if scoring.shots == "nearest":
            self.neighbours = Neighbours(train, self.task.text, scoring.n_shots)
            return
        groups: dict[object, list[Example]] = defaultdict(list)
        for example in train:
            groups[example.target if self.task.verbalizers else ""].append(example)
        generator = random.Random(derive(seed, "shots"))
        queues = [generator.sample(groups[label], len(groups[label])) for label in sorted(groups, key=str)]
        turns = [
            queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)
        ]
        self.shots = turns[: scoring.n_shots]
        generator.shuffle(self.shots)

    @property
    def _template(self) -> str:
        return self.task.templates[self.spec.template]

    @property
    def columns(self) -> list[str]:
        """The columns that the template shows."""
        return template.columns(self._template)

    def _solution(self, shot: Example) -> str:
        if self.task.kind in ("generation", "token_classification"):
            return f" {solution(self.task, shot)}"
        assert isinstance(shot.target, int)
        return self.choices(shot)[shot.target]


def solution(task: Task, example: Example) -> str:
    """The right answer of an example as text to generate."""
    if isinstance(example.target, tuple):
        return tags_to_text(example.tokens, example.target, task.labels)
    return str(example.target)


def as_compared(task: Task, text: str) -> str:
    """An answer or a target as they are compared: composed (Unicode NFC), since a tokenizer may write é in another way
    than the data, then as the task has it."""
    return task.answer(unicodedata.normalize("NFC", text))
