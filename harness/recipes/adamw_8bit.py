"""AdamW with its state in 8 bits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.errors import Unsupported
from harness.recipe import Recipe

if TYPE_CHECKING:
    from torch.optim import Optimizer

GROUP = ("params", "lr", "betas", "eps", "weight_decay")
"""What the groups of both AdamWs have."""


class AdamW8bit(Recipe):
    """Keep AdamW's two averages of each trained weight in 8 bits, by blocks: a quarter of their memory.

    Tensors of fewer than 4,096 weights keep theirs in 32 bits, as bitsandbytes has it.
    """

    source: ClassVar[str] = "Dettmers et al. 2022, https://arxiv.org/abs/2110.02861"

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """bitsandbytes' AdamW with the settings of the usual one.

        Raises:
            Unsupported: the optimizer that it would replace is no AdamW.
        """
        import bitsandbytes
        from torch.optim import AdamW

        usual = inner(groups)
        if type(usual) is not AdamW:
            raise Unsupported(f"adamw_8bit stands in for AdamW; this run has {type(usual).__name__}")
        kept = [{key: group[key] for key in GROUP} for group in usual.param_groups]
        made: Optimizer = bitsandbytes.optim.AdamW8bit(kept)
        return made
