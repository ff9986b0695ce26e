"""Tokenizers without a token for padding, and texts they don't know."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from harness.bases.tokens import load_tokenizer, unknown_share
from harness.core.errors import Unsupported
from harness.testing.snapshots import tokenizer


@pytest.mark.parametrize(("known", "pads"), [("eos_token", "</s>"), ("bos_token", "[CLS]")])
def test_padding_by_another_token(known: str, pads: str, tmp_path: Path) -> None:
    backend = tokenizer("decoder").backend_tokenizer
    PreTrainedTokenizerFast(tokenizer_object=backend, **{known: pads}).save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).pad_token == pads


def test_without_any_it_can_not_be_used(tmp_path: Path) -> None:
    PreTrainedTokenizerFast(tokenizer_object=tokenizer("decoder").backend_tokenizer).save_pretrained(tmp_path)
    with pytest.raises(Unsupported, match="no token for padding"):
        load_tokenizer(tmp_path)


def test_share_of_unknown_tokens() -> None:
    encoder = tokenizer("encoder_decoder")
    assert unknown_share(encoder, encoder(["good film", "the plot"])["input_ids"]) == 0
    assert unknown_share(encoder, encoder(["good zebra", "the cast"])["input_ids"]) == 0.25
    assert unknown_share(encoder, encoder(["zebra", "yak"])["input_ids"]) == 1
    assert unknown_share(encoder, [[]]) == 0
