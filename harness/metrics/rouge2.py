"""ROUGE-2."""

from typing import ClassVar

from harness.metrics._rouge import Rouge


class Rouge2(Rouge):
    """F of pairs of words that a text shares with the target, averaged."""

    variant: ClassVar[str] = "rouge2"
