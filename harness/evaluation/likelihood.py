"""Log-likelihood of each choice after the prompt: how language models classify, trained or not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harness.evaluation.formulation import Answer, Batch, Formulation, Row, Span, pad
from harness.evaluation.prompts import CONTENT_FREE, Prompts
from harness.evaluation.token_tree import (
    Read,
    Start,
    count_common,
    logits_of,
    only_read_at,
    takes_trees,
    tree,
)
from harness.method import Scoring
from harness.task import Example


@dataclass
class Likelihood(Formulation):
    """Scores the tokens of every choice given the prompt; training minimizes those of the right choice.

    Source:
        Brown et al. 2020, section 2.4, https://arxiv.org/abs/2005.14165; must agree with lm-evaluation-harness.
    """

    scoring: Scoring = field(default_factory=Scoring)
    prompts: Prompts = field(init=False)
    _biases: dict[tuple[str, ...], tuple[float, ...]] = field(default_factory=dict, init=False)
    _start: Start | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Prompts of the task for this base."""
        self.prompts = Prompts(self.task, self.spec.prompt, self.tokenizer)

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Choose the few-shot examples."""
        self.prompts.choose_shots(train, self.scoring.n_shots, self.spec.seed)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Rows with the sequences that cover all choices: one where every choice is a single token."""
        prompts = [self.prompts.prompt(example) for example in examples]
        choices = [self.prompts.choices(example) for example in examples]
        pairs = self._tokenize([(p, c) for p, cs in zip(prompts, choices, strict=True) for c in cs])
        rows, place = [], 0
        for example, texts in zip(examples, choices, strict=True):
            rows.append(self._row(example, pairs[place : place + len(texts)]))
            place += len(texts)
        return rows

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Rows with the right choice only."""
        right = [(self.prompts.prompt(e), self.prompts.choices(e)[e.target]) for e in examples]  # type: ignore[index]
        return [self._row(e, [pair]) for e, pair in zip(examples, self._tokenize(right), strict=True)]

    def _tokenize(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Prompt and choice token ids, split where lm-evaluation-harness splits them.

        Whole = prompt + choice is tokenized once; the choice is what follows the prompt's own number of tokens.
        Blanks at the prompt's end move to the choice.
        """
        moved = [(p.rstrip(), p[len(p.rstrip()) :] + c) for p, c in pairs]
        if self.base.info.kind == "encoder_decoder":
            prompts = self.tokenizer([p for p, _ in moved], verbose=False)["input_ids"]
            answers = self.tokenizer([c.strip() for _, c in moved], verbose=False)["input_ids"]
            return list(zip(prompts, answers, strict=True))
        unique = list(dict.fromkeys(p for p, _ in moved))
        lengths = dict(zip(unique, map(len, self.tokenizer(unique, verbose=False)["input_ids"]), strict=True))
        wholes = self.tokenizer([p + c for p, c in moved], verbose=False)["input_ids"]
        return [(ids[: lengths[p]], ids[lengths[p] :]) for ids, (p, _) in zip(wholes, moved, strict=True)]

    def _row(self, example: Example, pairs: Sequence[tuple[list[int], list[int]]]) -> Row:
        """One row of an example: a choice whose input another one continues needs no sequence of its own."""
        if self.base.info.kind == "encoder_decoder":
            return self._seq2seq_row(example, pairs)
        sequences: list[list[int]] = []
        spans: dict[int, Span] = {}
        truncated = False
        for index in sorted(range(len(pairs)), key=lambda i: -len(pairs[i][1])):
            prompt, answer = pairs[index]
            ids = (prompt + answer)[:-1]
            truncated |= len(ids) > self.max_length
            ids = ids[-self.max_length :]
            start = len(ids) - len(answer)
            found = next((n for n, s in enumerate(sequences) if s[: len(ids)] == ids), len(sequences))
            if found == len(sequences):
                sequences.append(ids)
            spans[index] = Span(found, start, tuple(answer))
        self.n_truncated += truncated
        return Row(example, tuple(sequences), spans=tuple(spans[index] for index in range(len(pairs))))

    def _seq2seq_row(self, example: Example, pairs: Sequence[tuple[list[int], list[int]]]) -> Row:
        prompts = [prompt[-self.max_length :] for prompt, _ in pairs]
        self.n_truncated += len(pairs[0][0]) > self.max_length
        spans = tuple(Span(index, 0, tuple(answer)) for index, (_, answer) in enumerate(pairs))
        return Row(example, tuple(prompts), spans=spans)

    def collate(self, rows: Sequence[Row], device: torch.device) -> Batch:
        """All sequences of all rows, right-padded."""
        ids, mask = pad([s for row in rows for s in row.sequences], self.tokenizer.pad_token_id, device)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.base.info.kind == "encoder_decoder":
            inputs["decoder_input_ids"] = self._decoder_inputs(rows, device)
        return Batch(rows, inputs)

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
        ids = self._common_start(rows)
        self._start = Start(model, ids) if ids and self._takes_trees(model) else None
        try:
            yield
        finally:
            self._start = None

    def _common_start(self, rows: Sequence[Row]) -> list[int]:
        """Tokens that all rows begin with and none of them reads; none where they save less than a tenth."""
        sequences = [sequence for row in rows for sequence in row.sequences]
        if not sequences:
            return []
        n_common = min(count_common(sequences), *(span.start for row in rows for span in row.spans))
        saves_little = 10 * n_common * (len(rows) - 1) < sum(map(self.size, rows))
        return [] if saves_little else list(sequences[0][:n_common])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Negative log-likelihood of the right choice: mean over its tokens, then over the examples."""
        losses = [-scores.sum() / len(scores) for row in self._log_probs(model, batch) for scores in row]
        return torch.stack(losses).mean()

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The likeliest choice; scores are log-likelihoods in nats, normalized and calibrated as asked."""
        answers = []
        for row, log_probs in zip(batch.rows, self._log_probs(model, batch), strict=True):
            choices = self.prompts.choices(row.example)
            scores = self._normalize([float(values.sum()) for values in log_probs], choices)
            if self.scoring.calibration != "none":
                scores = self._calibrate(model, scores, choices)
            answers.append(Answer(max(range(len(scores)), key=scores.__getitem__), tuple(scores)))
        return answers

    def _log_probs(self, model: nn.Module, batch: Batch) -> list[list[Tensor]]:
        """Log-probability of every token of every span, by row: float32, shape (tokens of the span,)."""
        reads: list[Read] = []
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

    def _logits(self, model: nn.Module, batch: Batch, reads: list[Read]) -> Tensor:
        """Logits at every read, shape (N, V); what sequences share is computed once where that is cheaper."""
        if not torch.is_grad_enabled() and self._takes_trees(model):
            groups = [row.sequences for row in batch.rows]
            sequences = [sequence for group in groups for sequence in group]
            start = self._start
            if start and not start.begins(sequences, min(position for _, position in reads)):
                start = None
            if start or len(sequences) > len(groups):
                return logits_of(model, groups, reads, self.tokenizer.pad_token_id, start)
        with only_read_at(model, reads):
            logits: Tensor = model(**batch.inputs).logits
        return logits

    def _takes_trees(self, model: nn.Module) -> bool:
        """Not where frozen blocks are read from the cache: then what sequences share costs little anyway."""
        return self.base.info.kind == "decoder" and not self.base.n_cached_blocks and takes_trees(model)

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
            texts = [self.tokenizer.bos_token or self.tokenizer.eos_token or ""]
        else:
            texts = [self.prompts.content_free(text) for text in CONTENT_FREE]
        pairs = self._tokenize([(text, choice) for text in texts for choice in choices])
        rows = [
            self._row(Example("content-free", {}, 0), pairs[start : start + len(choices)])
            for start in range(0, len(pairs), len(choices))
        ]
        log_probs = self._log_probs(model, self.collate(rows, device))
        values = torch.tensor(
            [self._normalize([float(v.sum()) for v in row], choices) for row in log_probs], dtype=torch.float64
        )
        if self.scoring.calibration == "contextual":
            values = torch.log_softmax(values, dim=-1)
        return tuple((torch.logsumexp(values, dim=0) - torch.log(torch.tensor(float(len(rows))))).tolist())
