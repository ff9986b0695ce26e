"""Generated answers: translation, summaries, arithmetic, tagging as text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from harness.formulation import Answer, Batch, BoundFormulation, Row, check_numbers, pad
from harness.formulations._continuation import apart, to_continue
from harness.formulations._likelihood import BoundLikelihood
from harness.formulations._prompts import Prompts, as_compared, solution
from harness.formulations._tagging import text_to_tags
from harness.speed.token_tree import takes_positions
from harness.task import Example


@dataclass
class BoundGeneration(BoundFormulation):
    """Greedy or beam decoding after the prompt, cut at the task's stop texts; trained on the target's tokens."""

    prompts: Prompts = field(init=False)
    _likelihood: BoundLikelihood = field(init=False)

    def __post_init__(self) -> None:
        """Prompts, and the likelihood formulation whose loss training uses."""
        self._likelihood = BoundLikelihood(self.task, self.base, self.spec, n_virtual_tokens=self.n_virtual_tokens)
        self.prompts = self._likelihood.prompts

    def prepare(self, model: nn.Module, train: Sequence[Example]) -> None:
        """Choose the few-shot examples."""
        self.prompts.choose_shots(train, self.scoring, self.spec.seed)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Prompts; one that leaves no room for the answer loses its beginning."""
        prompts = [self.prompts.prompt(example) for example in examples]
        room = self.max_length
        if self.base.info.kind == "decoder":
            ids = to_continue(self.tokenizer, prompts)
            room = min(room, self.context - self.n_new_tokens)
        else:
            ids = [prompt for prompt, _ in apart(self.tokenizer, [(prompt, "") for prompt in prompts])]
        self.n_truncated += sum(len(sequence) > room for sequence in ids)
        return [Row(e, (sequence[-room:],)) for e, sequence in zip(examples, ids, strict=True)]

    @property
    def n_new_tokens(self) -> int:
        """Longest answer: what is asked for, but at most half of the base's context."""
        asked = self.spec.evaluation.max_new_tokens or self.task.max_new_tokens
        return min(asked, self.context // 2)

    def encode_training(self, examples: Sequence[Example]) -> list[Row]:
        """Prompt, target and end of text; only the target is learned, and a long one loses its end."""
        pairs = self._likelihood.tokenize([(self.prompts.prompt(e), self._target_text(e)) for e in examples])
        before = self._likelihood.n_truncated
        rows = [self._likelihood.row(e, [pair], cut_answer=True) for e, pair in zip(examples, pairs, strict=True)]
        self.n_truncated += self._likelihood.n_truncated - before
        return rows

    def _target_text(self, example: Example) -> str:
        end = "" if self.base.info.kind == "encoder_decoder" else (self.tokenizer.eos_token or "")
        lead = "" if self.spec.prompt.format == "chat" else " "
        return f"{lead}{solution(self.task, example)}{self.task.stop[0] if self.task.stop else ''}{end}"

    def collate(self, rows: Sequence[Row], device: torch.device) -> Batch:
        """Rows with spans as likelihood collates them; prompts that a decoder continues are padded on the left."""
        if rows[0].spans:
            return self._likelihood.collate(rows, device)
        side = "left" if self.base.info.kind == "decoder" else "right"
        ids, mask = pad([row.sequences[0] for row in rows], self.tokenizer.pad_token_id, device, side)
        return Batch(rows, {"input_ids": ids, "attention_mask": mask})

    def max_padding(self, model: nn.Module) -> float:
        """None where a decoder would read something else after padding."""
        neutral = self.base.info.kind != "decoder" or takes_positions(model)
        return super().max_padding(model) if neutral else 0

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Negative log-likelihood of the target, mean over its tokens."""
        return self._likelihood.losses(model, batch)

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """The text up to the first stop text."""
        texts = self._decode(self.generate(model, batch))
        return [self._read(text, row.example) for text, row in zip(texts, batch.rows, strict=True)]

    def generate(self, model: nn.Module, batch: Batch) -> list[list[int]]:
        """New token ids of each row, to the end of its text or stop text, or to the longest answer.

        Nothing but the likelihood decides: of the settings that a checkpoint brings for generation (penalties, shortest
        answers, beams, sampling) only the ids of special tokens are used.
        """
        start = 0 if self.base.info.kind == "encoder_decoder" else batch.inputs["input_ids"].shape[1]
        generate: Any = model.generate
        with self._plain_settings():
            generated = generate(
                **batch.inputs,
                stopping_criteria=StoppingCriteriaList([_StopTexts(self, start)]),
                logits_processor=LogitsProcessorList([_Numbers()]),
            )
        return [_without_padding(ids, self.tokenizer.pad_token_id) for ids in generated[:, start:].tolist()]

    @contextmanager
    def _plain_settings(self) -> Iterator[None]:
        model: Any = self.base.model
        own = model.generation_config
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        model.generation_config = GenerationConfig(
            max_new_tokens=self.n_new_tokens,
            num_beams=self.spec.evaluation.n_beams,
            do_sample=False,
            bos_token_id=own.bos_token_id,
            eos_token_id=sorted({*ends, self.tokenizer.eos_token_id} - {None}) or None,
            pad_token_id=self.tokenizer.pad_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
            forced_bos_token_id=own.forced_bos_token_id,
        )
        try:
            yield
        finally:
            model.generation_config = own

    def _decode(self, sequences: Sequence[Sequence[int]] | Tensor) -> list[str]:
        """Texts as the tokens have them: without special tokens, blanks before punctuation kept."""
        return self.tokenizer.batch_decode(sequences, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _read(self, text: str, example: Example) -> Answer:
        answer = self.cut(text)
        if self.task.kind == "token_classification":
            return Answer(text_to_tags(answer, example.tokens, self.task.labels), text=text)
        return Answer(as_compared(self.task, answer), text=text)

    def cut(self, text: str) -> str:
        """The text up to the first stop text; blanks before it don't count."""
        text = text.lstrip()
        return min((text.partition(stop)[0] for stop in self.task.stop), key=len, default=text)


def _without_padding(ids: list[int], pad_token_id: int) -> list[int]:
    """Without what follows a sequence that ended before others of its batch."""
    end = len(ids)
    while end and ids[end - 1] == pad_token_id:
        end -= 1
    return ids[:end]


class _Numbers(LogitsProcessor):
    """Lets no answer be chosen among logits that are not numbers."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The logits as they are, shape (B, V)."""
        check_numbers(scores)
        return scores


class _StopTexts(StoppingCriteria):
    """Ends a sequence once its answer contains a stop text."""

    def __init__(self, formulation: BoundGeneration, start: int) -> None:
        self.formulation, self.start = formulation, start

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
        """Which sequences are done, bool, shape (B,)."""
        texts = self.formulation._decode(input_ids[:, self.start :])
        done = [self.formulation.cut(text) != text.lstrip() for text in texts]
        return torch.tensor(done, device=input_ids.device)
