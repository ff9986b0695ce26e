"""What a reader of results chooses between. Imports nothing, so that the commands' help doesn't either."""

from typing import Literal

Split = Literal["test", "validation"]

Checkpoint = Literal["chosen", "last"]
"""The one chosen on validation, or the last."""

Family = Literal["tasks", "comparison"]
"""What an error anywhere counts for as one error: all tasks of one base and quantization, or one comparison."""

ClassScore = Literal["f1", "recall", "precision"]

Format = Literal["md", "csv", "latex", "html"]
"""Of a table."""
