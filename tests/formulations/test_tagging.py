"""Tags to text and back."""

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from harness.data.tasks import find_task
from harness.formulation import IGNORED
from harness.formulations._tagging import tags_to_text, text_to_tags
from harness.runs.predict import predict
from harness.task import Example
from tests.conftest import MakeSpec
from tests.ready import ready

LABELS = find_task("wnut17").labels
TOKENS = ["Ada", "met", "Bob", "Lee", "in", "New", "York", "."]
B, I = LABELS.index("B-person"), LABELS.index("I-person")  # noqa: E741 - the field's names
PLACE = LABELS.index("B-location")


def test_written_as_a_reader_would() -> None:
    tags = [B, 0, B, I, 0, PLACE, PLACE + 1, 0]
    text = tags_to_text(TOKENS, tags, LABELS)
    assert text == "Ada (person); Bob Lee (person); New York (location)"
    assert text_to_tags(text, TOKENS, LABELS) == tuple(tags)


def test_nothing_and_nonsense() -> None:
    assert tags_to_text(TOKENS, [0] * 8, LABELS) == "none"
    for text in ("none", "", "Zoe (person)", "Ada (planet)", "Ada person; (location)"):
        assert text_to_tags(text, TOKENS, LABELS) == (0,) * 8


def test_the_same_word_twice() -> None:
    assert text_to_tags("Ada (person); Ada (person)", ["Ada", "and", "Ada"], LABELS) == (B, 0, B)


@given(st.lists(st.sampled_from(range(0, len(LABELS), 1)), min_size=1, max_size=8))
def test_round_trip_of_spans_that_begin_with_b(raw: list[int]) -> None:
    """Over different words every valid tagging comes back."""
    tags: list[int] = []
    for tag in raw:
        continues = tag and tag % 2 == 0 and tags and tags[-1] in (tag, tag - 1)
        tags.append(tag if not tag or tag % 2 == 1 or continues else tag - 1)
    tokens = [f"word{n}" for n in range(len(tags))]
    assert text_to_tags(tags_to_text(tokens, tags, LABELS), tokens, LABELS) == tuple(tags)


def test_labels_stay_with_their_words_when_the_tokenizer_drops_one(make_spec: MakeSpec) -> None:
    found = ready(make_spec("full", task={"name": "wnut17", "path": None})).formulation
    found.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\u200d", "")
    tokens = ("the", "\u200d", "film", "plot", "\u200d")
    row = found.encode([Example("0", {"tokens": " ".join(tokens)}, (0, 0, B, I, 0), tokens=tokens)])[0]
    assert row.targets == (IGNORED, 0, 0, B, I, 0, IGNORED)
    assert found.n_truncated == 0
    (answer,) = predict(found.base.model, found, [row])
    assert isinstance(answer.prediction, tuple)
    assert len(answer.prediction) == 5
    long = ("film",) * 100
    row = found.encode([Example("1", {"tokens": " ".join(long)}, (B,) * 100, tokens=long)])[0]
    (answer,) = predict(found.base.model, found, [row])
    assert (row.length, found.n_truncated) == (64, 1)
    assert isinstance(answer.prediction, tuple)
    assert answer.prediction[62:] == (0,) * 38


def test_words_are_tokenized_as_in_running_text(make_spec: MakeSpec) -> None:
    found = ready(make_spec("full", task={"name": "wnut17", "path": None})).formulation
    found.base.tokenizer = byte_level()
    words = ("Ada", "met", "Bob", "in", "New", "York")
    row = found.encode([Example("0", {"tokens": " ".join(words)}, (B, 0, B, 0, PLACE, PLACE + 1), tokens=words)])[0]
    assert row.sequences[0] == found.tokenizer(f" {' '.join(words)}")["input_ids"]
    pieces = found.tokenizer.convert_ids_to_tokens(row.sequences[0])
    first = [piece for piece, target in zip(pieces, row.targets, strict=True) if target != IGNORED]
    assert len(first) == len(words)
    assert all(piece.startswith("Ġ") for piece in first)
    assert [target for target in row.targets if target != IGNORED] == [B, 0, B, 0, PLACE, PLACE + 1]


def byte_level() -> PreTrainedTokenizerFast:
    """As RoBERTa has it: a word's first token holds the blank before it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<pad>", "<mask>"], initial_alphabet=alphabet)
    backend.train_from_iterator(["Ada met Bob in New York", "he met her in York"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", mask_token="<mask>")
