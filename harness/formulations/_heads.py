"""Heads on an encoder (or on a decoder's last token): classification, regression, choices, one label per word."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from transformers import BatchEncoding

from harness.bases.context import of_tokens
from harness.core.errors import Unsupported
from harness.formulation import IGNORED, Answer, Batch, BoundFormulation, Row, check_numbers, pad
from harness.task import Example

_GIVES_KEYS = ("PREFIX_TUNING", "CARTRIDGE")
"""peft's types of virtual tokens that are keys and values, not embeddings before those of the input."""


class BoundHead(BoundFormulation):
    """Classification or regression by a head on the pooled output."""

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows of one sequence: one text, or a pair as the tokenizer joins pairs; the longer text is cut first."""
        first = [example.fields[self.task.text[0]] for example in examples]
        second = [example.fields[self.task.text[1]] for example in examples] if len(self.task.text) == 2 else None
        ids, segments, long = self._tokenize(first, second)
        self.n_truncated += len(long)
        return [
            Row(example, (ids[index],), segments[index] if segments else None) for index, example in enumerate(examples)
        ]

    def _tokenize(
        self, first: list[str], second: list[str] | None = None
    ) -> tuple[list[list[int]], list[list[int]] | None, list[int]]:
        """Token ids and segment ids (where the base has them) of texts or pairs, and the indices of those cut."""
        if second and self.base.info.kind != "encoder":
            first, second = [f"{a}\n{b}" for a, b in zip(first, second, strict=True)], None
        encoded = self.tokenizer(first, second, verbose=False)
        long = [index for index, ids in enumerate(encoded["input_ids"]) if len(ids) > self.max_length]
        ids, segments = encoded["input_ids"], encoded.get("token_type_ids")
        for index in long:
            texts = (first[index], second[index]) if second else (first[index],)
            cut = self.tokenizer(*texts, truncation=True, max_length=self.max_length)
            ids[index] = cut["input_ids"]
            if segments:
                segments[index] = cut["token_type_ids"]
        return ids, segments, long

    def collate(self, rows: Sequence[Row], device: torch.device) -> Batch:
        """Right-padded sequences, with segment ids where the base has them."""
        batch = super().collate(rows, device)
        if rows[0].segments is not None:
            batch.inputs["token_type_ids"] = pad([s for row in rows for s in _segments(row)], 0, device)[0]
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy, or the squared error of the target scaled to 0..1."""
        logits = self._logits(model, batch)
        targets = [row.example.target for row in batch.rows]
        if self.task.kind == "regression":
            scaled = self.task.to_unit(torch.tensor(targets, dtype=torch.float32, device=logits.device))
            return mse_loss(logits[:, 0], scaled, reduction="none")
        return cross_entropy(logits, torch.tensor(targets, device=logits.device), reduction="none")

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The label of the largest logit with the logits as scores, or the number in the task's own range."""
        logits = self._logits(model, batch).cpu()
        if self.task.kind == "regression":
            return [Answer(self.task.from_unit(value)) for value in logits[:, 0].tolist()]
        return [Answer.best_of(row) for row in logits.tolist()]

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        """Float32, shape (sequences, L).

        Raises:
            Unsupported: a decoder is given virtual tokens as embeddings, in which it can't tell padding from a token.
        """
        configs = getattr(model, "peft_config", {}).values()
        embeds = any(config.is_prompt_learning and config.peft_type not in _GIVES_KEYS for config in configs)
        if embeds and self.base.info.kind != "encoder":
            raise Unsupported(
                "a head can't find a decoder's last token behind virtual tokens; use formulation likelihood"
            )
        logits: Tensor = model(**batch.inputs).logits.float()
        return logits


class BoundChoiceHead(BoundHead):
    """A score for each choice by a head on the text and that choice; softmax over the choices.

    Source:
        Devlin et al. 2019, section 4.4, https://arxiv.org/abs/1810.04805
    """

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows of one sequence per choice; of several texts of a question one is made."""
        first = [self._question(example) for example in examples for _ in example.choices]
        ids, segments, long = self._tokenize(first, [choice for example in examples for choice in example.choices])
        cut, rows, start = set(long), [], 0
        for example in examples:
            place = slice(start, start := start + len(example.choices))
            joined = list(chain.from_iterable(segments[place])) if segments else None
            rows.append(Row(example, tuple(ids[place]), joined))
            self.n_truncated += not cut.isdisjoint(range(place.start, place.stop))
        return rows

    def _question(self, example: Example) -> str:
        return "\n".join(example.fields[column] for column in self.task.text)

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy over the choices."""
        targets = [torch.tensor(row.example.target, device=batch.inputs["input_ids"].device) for row in batch.rows]
        scores = self._scores(model, batch)
        return torch.stack([cross_entropy(row, target) for row, target in zip(scores, targets, strict=True)])

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The choice of the largest logit, with the logits as scores."""
        return [Answer.best_of(row.tolist()) for row in self._scores(model, batch)]

    def _scores(self, model: nn.Module, batch: Batch) -> Sequence[Tensor]:
        """Logits of the choices of each row: float32, shape (C,)."""
        logits = self._logits(model, batch)[:, 0]
        return logits.split([len(row.sequences) for row in batch.rows])


class BoundTokenHead(BoundHead):
    """A label for each word by a head on its first sub-token; words beyond ``max_length`` get label 0."""

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows whose targets are the words' labels at first sub-tokens and IGNORED elsewhere."""
        rows = []
        for example in examples:
            encoded = self._tokenize_words(example.tokens)
            words = encoded.word_ids()
            firsts = [word is not None and word not in words[:place] for place, word in enumerate(words)]
            labels = example.target
            assert isinstance(labels, tuple)
            targets = tuple(
                labels[word] if first and word is not None else IGNORED
                for word, first in zip(words, firsts, strict=True)
            )
            self.n_truncated += len(set(words) - {None}) < len(example.tokens)
            rows.append(Row(example, (encoded["input_ids"],), encoded.get("token_type_ids"), targets=targets))
        return rows

    def _tokenize_words(self, tokens: Sequence[str]) -> BatchEncoding:
        """Sub-tokens of words; one that the tokenizer drops (an emoji's joiner, say) is an unknown word.

        Otherwise every label after it would belong to the word before its own.
        """
        encoded = self._split(tokens)
        found = set(encoded.word_ids()) - {None}
        n_read = len(tokens) if len(encoded["input_ids"]) < self.max_length else max(found) + 1
        dropped = set(range(n_read)) - found
        unknown = self.tokenizer.unk_token
        if not dropped or unknown is None:
            return encoded
        return self._split([unknown if place in dropped else token for place, token in enumerate(tokens)])

    def _split(self, tokens: Sequence[str]) -> BatchEncoding:
        words = [f" {token}" if self._marks_blanks else token for token in tokens]
        return self.tokenizer(words, is_split_into_words=True, truncation=True, max_length=self.max_length)

    @cached_property
    def _marks_blanks(self) -> bool:
        """Whether a word has other tokens after a blank, as in running text, than by itself."""
        apart = self.tokenizer(["a", "a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
        return bool(apart != self.tokenizer("a a", add_special_tokens=False)["input_ids"])

    def _word_logits(self, model: nn.Module, batch: Batch) -> Tensor:
        """Shape (B, T, L)."""
        return of_tokens(model(**batch.inputs).logits, batch.inputs["input_ids"].shape[1])

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy over first sub-tokens, summed over the words of a row."""
        logits = self._word_logits(model, batch).float()
        targets, _ = pad([row.targets for row in batch.rows], IGNORED, logits.device)
        return cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none").sum(1)

    def n_counted(self, rows: Sequence[Row]) -> int:
        """The words."""
        return sum(target != IGNORED for row in rows for target in row.targets)

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """One label index per word."""
        logits = self._word_logits(model, batch)
        check_numbers(logits[batch.inputs["attention_mask"].bool()])
        answers = []
        for labels, row in zip(logits.argmax(-1).tolist(), batch.rows, strict=True):
            words = [label for label, target in zip(labels, row.targets, strict=False) if target != IGNORED]
            words += [0] * (len(row.example.tokens) - len(words))
            answers.append(Answer(tuple(words)))
        return answers


def _segments(row: Row) -> Iterator[list[int]]:
    """Segment ids of each sequence of a row, which has them one after another."""
    places = iter(row.segments or ())
    for sequence in row.sequences:
        yield list(islice(places, len(sequence)))
