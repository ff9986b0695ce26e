"""Tags to text and back."""

from hypothesis import given
from hypothesis import strategies as st

from harness import registry
from harness.evaluation.tagging import tags_to_text, text_to_tags

LABELS = registry.task("wnut17").labels
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
