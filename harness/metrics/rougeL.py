"""ROUGE-L."""

from typing import ClassVar

from harness.metrics._rouge import Rouge


class RougeL(Rouge):
    """F of the longest common subsequence of words that a text shares with the target, averaged."""

    variant: ClassVar[str] = "rougeL"
