"""Texts in train and in another task's test."""

from harness.data.leakage import overlap
from harness.task import Example


def examples(*texts: str) -> list[Example]:
    return [Example(str(number), {"text": text}, 0) for number, text in enumerate(texts)]


def test_overlap_counts_test_examples_whatever_their_tokenization() -> None:
    train = examples("It 's a charming film .", "dull", "dull")
    test = examples("It's a charming film.", "DULL!", "Dull", "another")
    assert overlap(train, test) == 3


def test_marks_alone_are_compared_as_they_are() -> None:
    assert overlap(examples("!!!"), examples("???", "!!!")) == 1


def test_choices_belong_to_the_text() -> None:
    one, other = (Example("0", {"q": "how?"}, 0, choices) for choices in (("a", "b"), ("a", "c")))
    assert overlap([one], [other]) == 0
