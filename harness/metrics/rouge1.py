"""ROUGE-1."""

from typing import ClassVar

from harness.metrics._rouge import Rouge


class Rouge1(Rouge):
    """F of single words that a text shares with the target, averaged."""

    variant: ClassVar[str] = "rouge1"
