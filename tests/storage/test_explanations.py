"""Explanations beside a run: added, replaced, and refused where they are damaged."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessWarning
from harness.storage.explanations import EXPLANATIONS, Explained, keep, kept


def explained(text: str, prediction: str = "good") -> Explained:
    words = tuple(text.split())
    return Explained(
        text=text, attribution="occlusion", prediction=prediction, words=words, weights=(0.5,) * len(words)
    )


def test_the_same_text_again_replaces_what_was_kept(tmp_path: Path) -> None:
    assert list(kept(tmp_path)) == []
    for one in (explained("a film"), explained("a\u2028line"), explained("a film", "bad")):
        keep(one, tmp_path)
    assert list(kept(tmp_path)) == [explained("a\u2028line"), explained("a film", "bad")]


@pytest.mark.parametrize("content", [b"{", b"[]\n", b'{"text": 1}\n', b"\xff\n"])
def test_a_damaged_file_is_named_and_left_out(content: bytes, tmp_path: Path) -> None:
    (tmp_path / EXPLANATIONS).write_bytes(content)
    with pytest.warns(HarnessWarning, match=EXPLANATIONS):
        assert list(kept(tmp_path)) == []
