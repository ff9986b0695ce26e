"""Skip2-LoRA: low-rank connections from every block to the output."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class SkipAdapters(Method):
    """Low-rank matrices from each frozen block to what the last one gives: h_n + (alpha / rank) sum_k B_k A_k h_k.

    B = 0 at first. Nothing that is trained feeds a block, so the whole base is computed once per example, and later
    epochs only read what its blocks gave: the second of the paper's two skips. Its connections lead to the last layer
    of a small network, here to what the head reads. Its rank is 4; it has no scale of its own and gives no rate for
    AdamW, so alpha is rank here, and the rate is LoRA's.
    """

    family: ClassVar[Family] = "side"
    source: ClassVar[str] = "Matsutani et al. 2024, https://arxiv.org/abs/2410.21073"
    learning_rate: ClassVar[float] = 5e-4

    rank: int = Field(4, ge=1, description="Rank R of each connection: A is (R, D), B is (D, R).")
    alpha: float = Field(4, gt=0, description="Scale of what is added; it is multiplied by alpha / rank.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """ALBERT has one block, so that the last one is the first as well."""
        if base.architecture == "albert":
            return "albert applies one block many times: what is added to the last one's output would feed it again"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head, with the connections beside it."""
        from harness.bases.heads import train_heads_only
        from harness.methods._side import SkipConnections, attach

        train_heads_only(model, context.head_names)
        base = context.base
        attach(model, SkipConnections(base.n_blocks, base.hidden_size, self.rank, self.alpha / self.rank))
        return model

    def expected_params(self, base: BaseInfo) -> int:
        """2 R D for each block; of an encoder-decoder, for each of the decoder's."""
        return base.n_blocks * 2 * self.rank * base.hidden_size

    def space(self) -> Space:
        """Size and scale of the connections."""
        return {"rank": Choice((2, 4, 8, 16, 32)), "alpha": Range(1, 64, log=True)}
