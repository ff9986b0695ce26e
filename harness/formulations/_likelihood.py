"""Log-likelihood of each choice after the prompt: how language models classify, trained or not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harness.core.errors import SpecError
from harness.formulation import Answer, Batch, BoundFormulation, Row, Span, pad
from harness.formulations._continuation import PromptPair, apart, split
from harness.formulations._prompts import CONTENT_FREE, Prompts
from harness.speed.token_tree import (
    ReadAt,
    Start,
    count_common,
    logits_of,
    only_read_at,
    takes_trees,
    tree,
)
from harness.speed.trunk import reads_cache
from harness.task import Example


@dataclass
class BoundLikelihood(BoundFormulation):
    """Scores the tokens of every choice given the prompt; training minimizes those of the right choice.

    Source:
        Brown et al. 2020, section 2.4, https://arxiv.org/abs/2005.14165; must agree with lm-evaluation-harness.
    """

    prompts: Prompts = field(init=False)
    _biases: dict[tuple[str, ...], tuple[float, ...]] = field(default_factory=dict, init=False)
    _start: Start | None = field(default=None, init=False)
    _as_trees: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Prompts of the task for this base."""
        self.prompts = Prompts(self.task, self.spec.prompt, self.tokenizer)

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Choose the few-shot examples."""
        self.prompts.choose_shots(train, self.scoring, self.spec.seed)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows with the sequences that cover all choices: one where every choice is a single token."""
        prompts = [self.prompts.prompt(example) for example in examples]
        choices = [self.prompts.choices(example) for example in examples]
        pairs = self.tokenize([(p, c) for p, cs in zip(prompts, choices, strict=True) for c in cs])
        rows, place = [], 0
        for example, texts in zip(examples, choices, strict=True):
            rows.append(self.row(example, pairs[place : place + len(texts)]))
            place += len(texts)
        return rows

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Rows with the right choice only."""
        right = [(self.prompts.prompt(e), self.prompts.choices(e)[e.target]) for e in examples]  # type: ignore[index]
        return [self.row(e, [pair]) for e, pair in zip(examples, self.tokenize(right), strict=True)]

    def tokenize(self, pairs: Sequence[tuple[str, str]]) -> list[PromptPair]:
        """Token ids of prompts and answers, as this kind of base reads them."""
        return apart(self.tokenizer, pairs) if self._reads_apart else split(self.tokenizer, pairs)

    @property
    def _reads_apart(self) -> bool:
        """Whether an encoder reads the prompt and a decoder the answer."""
        return self.base.info.kind == "encoder_decoder"

    def row(self, example: Example, pairs: Sequence[PromptPair], cut_answer: bool = False) -> Row:
        """One row of an example and its answers; what is cut is counted.

        A prompt that leaves the longest answer no room loses its beginning, before all answers the same.

        Args:
            cut_answer: A long answer loses its end instead where the prompt would keep less than half of the room.

        Raises:
            SpecError: an answer has no token, nothing before it, or no room.
        """
        kept = [(prompt, self._cut(prompt, answer) if cut_answer else answer) for prompt, answer in pairs]
        self._check(example, kept)
        longest = max(len(answer) for _, answer in kept)
        room = self.max_length if self._reads_apart else self.max_length + 1 - longest
        kept = [(prompt[-room:], answer) for prompt, answer in kept]
        self.n_truncated += kept != list(pairs)
        return self._apart(example, kept) if self._reads_apart else self._joined(example, kept)

    def _cut(self, prompt: list[int], answer: list[int]) -> list[int]:
        most = self.max_length
        return answer[: most if self._reads_apart else most + 1 - min(len(prompt), (most + 1) // 2)]

    def _check(self, example: Example, pairs: Sequence[PromptPair]) -> None:
        longest = max(len(answer) for _, answer in pairs)
        if longest > self.max_length:
            raise SpecError(
                f"example {example.id} of {self.task.name} has an answer of {longest} tokens, for which a "
                f"base.max_length of {self.max_length} has no room; raise it, or leave such examples out"
            )
        if not all(answer for _, answer in pairs):
            raise SpecError(f"example {example.id} of {self.task.name} has an answer without a token in this base")
        if not self._reads_apart and not all(prompt for prompt, _ in pairs):
            raise SpecError(
                f"example {example.id} of {self.task.name}: no token stands before the answer, so its first one "
                "can't be predicted; use a template that says something"
            )

    def _joined(self, example: Example, pairs: Sequence[PromptPair]) -> Row:
        """A choice whose input another one continues needs no sequence of its own."""
        sequences: list[list[int]] = []
        spans: dict[int, Span] = {}
        for index in sorted(range(len(pairs)), key=lambda i: -len(pairs[i][1])):
            prompt, answer = pairs[index]
            ids = (prompt + answer)[:-1]
            found = next((n for n, s in enumerate(sequences) if s[: len(ids)] == ids), len(sequences))
            if found == len(sequences):
                sequences.append(ids)
            spans[index] = Span(found, len(prompt) - 1, tuple(answer))
        return Row(example, tuple(sequences), spans=tuple(spans[index] for index in range(len(pairs))))

    def _apart(self, example: Example, pairs: Sequence[PromptPair]) -> Row:
        spans = tuple(Span(index, 0, tuple(answer)) for index, (_, answer) in enumerate(pairs))
        return Row(example, tuple(prompt for prompt, _ in pairs), spans=spans)

    def collate(self, rows: Sequence[Row], device: torch.device) -> Batch:
        """All sequences of all rows, right-padded."""
        batch = super().collate(rows, device)
        if self._reads_apart:
            batch.inputs["decoder_input_ids"] = self._decoder_inputs(rows, device)
        return batch

    def _decoder_inputs(self, rows: Sequence[Row], device: torch.device) -> Tensor:
        config: Any = self.base.model.config
        start = config.decoder_start_token_id
        answers = [[start, *span.token_ids[:-1]] for row in rows for span in row.spans]
        return pad(answers, self.tokenizer.pad_token_id, device)[0]

    def size(self, row: Row) -> int:
        """Tokens of the row's choices, what they share counted once."""
        return len(tree(row.sequences).ids) if self.base.info.kind == "decoder" else row.length

    @contextmanager
    def answering(self, model: nn.Module, rows: Sequence[Row]) -> Iterator[None]:
        """Compute once what all prompts begin with, such as few-shot examples."""
        self._as_trees = self._takes_trees(model)
        ids = self._common_start(rows) if self._as_trees else []
        self._start = Start(model, ids) if ids else None
        try:
            yield
        finally:
            self._start, self._as_trees = None, False

    def _common_start(self, rows: Sequence[Row]) -> list[int]:
        """Tokens that all rows begin with and none of them reads; none where they save less than a tenth."""
        sequences = [sequence for row in rows for sequence in row.sequences]
        if not sequences:
            return []
        n_common = min(count_common(sequences), *(span.start for row in rows for span in row.spans))
        saves_little = 10 * n_common * (len(rows) - 1) < sum(map(self.size, rows))
        return [] if saves_little else list(sequences[0][:n_common])

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Negative log-likelihood of the right choice, mean over its tokens."""
        return torch.stack([-scores.sum() / len(scores) for row in self._log_probs(model, batch) for scores in row])

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The likeliest choice; scores are log-likelihoods in nats, normalized and calibrated as asked."""
        answers = []
        for row, log_probs in zip(batch.rows, self._log_probs(model, batch), strict=True):
            choices = self.prompts.choices(row.example)
            scores = self._normalize([float(values.sum()) for values in log_probs], choices)
            if self.scoring.calibration != "none":
                scores = self._calibrate(model, scores, choices)
            answers.append(Answer.best_of(scores))
        return answers

    def _log_probs(self, model: nn.Module, batch: Batch) -> list[list[Tensor]]:
        """Log-probability of every token of every span, by row: float32, shape (tokens of the span,)."""
        reads: list[ReadAt] = []
        tokens: list[int] = []
        sizes: list[int] = []
        first = 0
        for row in batch.rows:
            for span in row.spans:
                sizes.append(len(span.token_ids))
                reads += [(first + span.sequence, span.start + n) for n in range(len(span.token_ids))]
                tokens += span.token_ids
            first += len(row.sequences)
        read = torch.log_softmax(self._logits(model, batch, reads).float(), dim=-1)
        values = read[torch.arange(len(tokens)), tokens]
        pieces = iter(values.split(sizes))
        return [[next(pieces) for _ in row.spans] for row in batch.rows]

    def _logits(self, model: nn.Module, batch: Batch, reads: list[ReadAt]) -> Tensor:
        """Logits at every read, shape (N, V); what sequences share is computed once where that is cheaper."""
        if self._as_trees:
            groups = [row.sequences for row in batch.rows]
            sequences = [sequence for group in groups for sequence in group]
            start = self._start
            if start and not start.begins(sequences, min(position for _, position in reads)):
                start = None
            if start or len(sequences) > len(groups):
                return logits_of(model, groups, reads, self.tokenizer.pad_token_id, start)
        length = batch.inputs["decoder_input_ids" if self._reads_apart else "input_ids"].shape[1]
        with only_read_at(model, reads, length):
            logits: Tensor = model(**batch.inputs).logits
        return logits

    def _takes_trees(self, model: nn.Module) -> bool:
        """Not where frozen blocks are read from the cache: then what sequences share costs little anyway."""
        wanted = self.spec.speed.token_tree and self.base.info.kind == "decoder"
        return wanted and not reads_cache(model) and takes_trees(model)

    def _normalize(self, scores: list[float], choices: tuple[str, ...]) -> list[float]:
        """Per character of the choice, as lm-evaluation-harness's acc_norm, or as they are."""
        if self.scoring.normalization == "none":
            return scores
        return [score / len(choice.lstrip()) for score, choice in zip(scores, choices, strict=True)]

    def _calibrate(self, model: nn.Module, scores: list[float], choices: tuple[str, ...]) -> list[float]:
        if choices not in self._biases:
            self._biases[choices] = self._bias(model, choices)
        return [score - bias for score, bias in zip(scores, self._biases[choices], strict=True)]

    def _bias(self, model: nn.Module, choices: tuple[str, ...]) -> tuple[float, ...]:
        """What the model says of the choices when the input says nothing, in nats.

        contextual: log of the mean probability over content-free inputs, normalized over the choices (Zhao et al. 2021,
        https://arxiv.org/abs/2102.09690); unconditional: log-likelihood after the beginning-of-text token alone (Brown
        et al. 2020, section 2.4).
        """
        device = next(model.parameters()).device
        if self.scoring.calibration == "unconditional":
            begins_alone = bool(self.tokenize([("", "a")])[0][0])
            texts = ["" if begins_alone else self.tokenizer.bos_token or self.tokenizer.eos_token or ""]
        else:
            texts = [self.prompts.content_free(text) for text in CONTENT_FREE]
        pairs = self.tokenize([(text, choice) for text in texts for choice in choices])
        rows = [
            self.row(Example("content-free", {}, 0), pairs[start : start + len(choices)])
            for start in range(0, len(pairs), len(choices))
        ]
        log_probs = self._log_probs(model, self.collate(rows, device))
        values = torch.tensor(
            [self._normalize([float(v.sum()) for v in row], choices) for row in log_probs], dtype=torch.float64
        )
        if self.scoring.calibration == "contextual":
            values = torch.log_softmax(values, dim=-1)
        return tuple((torch.logsumexp(values, dim=0) - torch.log(torch.tensor(float(len(rows))))).tolist())
