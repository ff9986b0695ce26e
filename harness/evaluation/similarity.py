"""Zero-shot answers of encoders: nearest label description, or the label's word at a mask."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from harness.errors import SpecError
from harness.evaluation.formulation import Answer, Batch, Row
from harness.evaluation.head import Head
from harness.evaluation.prompts import Prompts
from harness.task import Example


@dataclass
class Similarity(Head):
    """Cosine between the text and each label's description, both embedded as sentence-transformers does: token mean.

    Source:
        Reimers and Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084
    """

    _labels: Tensor | None = field(default=None, init=False)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Nothing is trained in this formulation."""
        raise SpecError("formulation similarity trains nothing; use method zero_shot")

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Embed the label descriptions once."""
        ids = self.tokenizer(list(self.task.descriptions))["input_ids"]
        rows = [Row(Example(str(n), {}, 0), (sequence,)) for n, sequence in enumerate(ids)]
        self._labels = self._embed(model, self.collate(rows, next(model.parameters()).device))

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The nearest label; scores are cosines. For a pair of texts compared by a number, see regression tasks."""
        assert self._labels is not None
        cosines = self._embed(model, batch) @ self._labels.T
        return [Answer(max(range(len(row)), key=row.__getitem__), tuple(row)) for row in cosines.tolist()]

    def _embed(self, model: nn.Module, batch: Batch) -> Tensor:
        """Unit vectors, float32, shape (B, D)."""
        hidden = model(**batch.inputs).last_hidden_state.float()  # (B, T, D)
        mask = batch.inputs["attention_mask"].unsqueeze(-1).float()
        return normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


@dataclass
class Mask(Head):
    """The label whose verbalizer is likeliest at a mask after the prompt.

    Source:
        Schick and Schütze 2021, section 3, https://arxiv.org/abs/2001.07676
    """

    prompts: Prompts = field(init=False)
    _words: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """The first token of each verbalizer; they must differ."""
        self.prompts = Prompts(self.task, self.spec.prompt, self.tokenizer)
        words = [
            self.tokenizer(word.strip(), add_special_tokens=False)["input_ids"][0] for word in self.task.verbalizers
        ]
        if len(set(words)) < len(words):
            raise SpecError(f"verbalizers of {self.task.name} share a first token in this base's vocabulary")
        self._words = words

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

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Nothing is trained in this formulation."""
        raise SpecError("formulation mask trains nothing; use method zero_shot")

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The label of the likeliest word; scores are log-probabilities in nats."""
        logits = model(**batch.inputs).logits  # (B, T, V)
        at_mask = logits[batch.inputs["input_ids"] == self.tokenizer.mask_token_id]
        scores = torch.log_softmax(at_mask.float(), dim=-1)[:, self._words]
        return [Answer(max(range(len(row)), key=row.__getitem__), tuple(row)) for row in scores.tolist()]
