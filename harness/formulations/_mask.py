"""Answers of masked language models: the likeliest word at a mask."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.bases.context import of_tokens
from harness.core.errors import SpecError
from harness.formulation import Answer, Batch, Row
from harness.formulations._heads import BoundHead
from harness.formulations._prompts import Prompts
from harness.task import Example


@dataclass
class BoundMask(BoundHead):
    """The label whose verbalizer is likeliest at a mask after the prompt.

    Source:
        Schick and Schütze 2021, section 3, https://arxiv.org/abs/2001.07676
    """

    prompts: Prompts = field(init=False)
    _words: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """The first token of each verbalizer; they must differ and be known."""
        self.prompts = Prompts(self.task, self.spec.prompt, self.tokenizer)
        words = [self._first_token(word.strip()) for word in self.task.verbalizers]
        if len(set(words)) < len(words):
            raise SpecError(f"verbalizers of {self.task.name} share a first token in this base's vocabulary")
        if self.tokenizer.unk_token_id in words:
            unknown = self.task.verbalizers[words.index(self.tokenizer.unk_token_id)]
            raise SpecError(f"verbalizer {unknown.strip()!r} of {self.task.name} is no word of this base's vocabulary")
        self._words = words

    def _first_token(self, word: str) -> int:
        """The token that stands in the mask's place where the word does, with its blank if the mask takes that too."""
        masked, written, alone = (
            self.tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (f"a {self.tokenizer.mask_token}", f"a {word}", word)
        )
        place = masked.index(self.tokenizer.mask_token_id)
        return int(written[place] if written[:place] == masked[:place] and len(written) > place else alone[0])

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Prompt and mask; a prompt that is too long loses its beginning, never the mask."""
        rows = []
        for example in examples:
            ids = self.tokenizer(f"{self.prompts.prompt(example)} {self.tokenizer.mask_token}.", verbose=False)[
                "input_ids"
            ]
            if len(ids) > self.max_length:
                self.n_truncated += 1
                ids = ids[:1] + ids[-(self.max_length - 1) :]
            rows.append(Row(example, (ids,)))
        return rows

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Nothing is trained in this formulation."""
        raise SpecError("formulation mask trains nothing; use method zero_shot")

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The label of the likeliest word; scores are log-probabilities in nats.

        The mask is the last one: a text may have some of its own.
        """
        logits = of_tokens(model(**batch.inputs).logits, batch.inputs["input_ids"].shape[1])  # (B, T, V)
        ends = [row.sequences[0][::-1].index(self.tokenizer.mask_token_id) for row in batch.rows]
        columns = [row.length - 1 - end for row, end in zip(batch.rows, ends, strict=True)]
        at_mask = logits[range(len(columns)), columns]
        scores = torch.log_softmax(at_mask.float(), dim=-1)[:, self._words]
        return [Answer.best_of(row) for row in scores.tolist()]
