"""LoReFT, low-rank representation fine-tuning."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.space import Choice, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class LoReFT(Method):
    """What each frozen block gives is edited in a trained subspace: h + R^T (W h + b - R h), R with orthonormal rows.

    rank and rate are those of the authors' runs on commonsense and mathematics (https://github.com/stanfordnlp/pyreft).
    They edit the first and the last seven tokens of a prompt there, and on GLUE the first token at rank 1 and 6e-4;
    here it is every token or the first. R is kept orthonormal by a QR decomposition instead of Householder reflections.
    As W is drawn at random, the first output is not that of the base.
    """

    family: ClassVar[Family] = "bottleneck"
    source: ClassVar[str] = "Wu et al. 2024, https://arxiv.org/abs/2404.03592"
    starts_as_base: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 9e-4

    rank: int = Field(8, ge=1, description="Dimensions of the subspace.")
    positions: Literal["all", "first"] = Field("all", description="Tokens edited.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only an encoder reads every text from its first token on, in one piece."""
        if self.positions == "first" and base.kind != "encoder":
            return "loreft edits the first token of encoders only: a language model's input may be the rest of a text"
        if self.rank > base.hidden_size:
            return f"rank {self.rank} is more than the {base.hidden_size} dimensions of this base"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head, with an edit after every block of every stack."""
        from harness.bases.anatomy import stacks
        from harness.bases.heads import train_heads_only
        from harness.methods._outputs import change_output
        from harness.methods._reft import LowRankEdit

        train_heads_only(model, context.head_names)
        for block in (block for _, stack in stacks(model) for block in stack):
            edit = LowRankEdit(context.base.hidden_size, self.rank, self.positions == "first")
            block.add_module("edit", edit.to(next(block.parameters()).device))
            change_output(block, edit)
        return model

    def expected_params(self, base: BaseInfo) -> int | None:
        """R (2 D + 1) for each block."""
        if base.kind == "encoder_decoder":
            return None
        return base.n_blocks * self.rank * (2 * base.hidden_size + 1)

    def space(self) -> Space:
        """The size of the subspace."""
        return {"rank": Choice((1, 4, 8, 16, 32))}
