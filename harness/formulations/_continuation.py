"""Prompts and the answers that continue them, as tokens."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

PromptPair = tuple[list[int], list[int]]
"""Token ids of a prompt and of its answer."""


def to_continue(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that go on: with what the tokenizer puts before a text, without what it puts after one."""
    end = n_appended(tokenizer)
    return [ids[: len(ids) - end] for ids in tokenizer(list(texts), verbose=False)["input_ids"]]


def n_appended(tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that the tokenizer puts after a text, such as the end of text."""
    whole, bare = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (True, False))
    n_before = next(n for n in range(len(whole) + 1) if whole[n : n + len(bare)] == bare)
    return len(whole) - n_before - len(bare)


def split(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]]) -> list[PromptPair]:
    """Tokens of prompt + answer, split where lm-evaluation-harness splits them.

    The whole is tokenized once; the answer is what follows the prompt's own number of tokens. Blanks at the prompt's
    end move to the answer.
    """
    moved = [(p.rstrip(), p[len(p.rstrip()) :] + a) for p, a in pairs]
    unique = list(dict.fromkeys(p for p, _ in moved))
    lengths = dict(zip(unique, map(len, to_continue(tokenizer, unique)), strict=True))
    wholes = to_continue(tokenizer, [p + a for p, a in moved])
    return [(ids[: lengths[p]], ids[lengths[p] :]) for ids, (p, _) in zip(wholes, moved, strict=True)]


def apart(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]]) -> list[PromptPair]:
    """Tokens of prompts and answers as an encoder and a decoder read them, each with all that the tokenizer adds."""
    prompts = tokenizer([prompt.rstrip() for prompt, _ in pairs], verbose=False)["input_ids"]
    answers = tokenizer(text_target=[answer.strip() for _, answer in pairs], verbose=False)["input_ids"]
    return list(zip(prompts, answers, strict=True))
