"""The tokenizer of a base, and whether it knows what it is given."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from harness.core.errors import SourceError, Unsupported


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a snapshot; it pads with its end or its start token where it has none for that.

    Raises:
        Unsupported: it has none of the three.
        SourceError: the folder holds none: transformers would make an empty one, to which every word is unknown.
    """
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    words = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
    if len(words) < 2:  # transformers' empty ones know no more than a space
        raise SourceError(
            f"base {str(folder)!r}: its tokenizer knows no words; the folder needs the base's tokenizer files, such as "
            "tokenizer.json, vocab.txt or tokenizer.model"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.bos_token
    if tokenizer.pad_token is None:
        raise Unsupported("this base's tokenizer has no token for padding, and neither an end nor a start token")
    return tokenizer


def unknown_share(tokenizer: PreTrainedTokenizerBase, sequences: Iterable[Sequence[int]]) -> float:
    """Share of unknown tokens among those that are not special, 0 to 1; 0 where there are none."""
    unknown = tokenizer.unk_token_id
    special = set(tokenizer.all_special_ids) - {unknown}
    n_tokens = n_unknown = 0
    for sequence in sequences:
        n_tokens += sum(token not in special for token in sequence)
        n_unknown += sum(token == unknown for token in sequence)
    return n_unknown / n_tokens if n_tokens else 0.0
