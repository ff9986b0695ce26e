"""(IA)³, infused adapter by inhibiting and amplifying inner activations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.bases.anatomy import role_of
from harness.core.space import Range, Space
from harness.libraries.peft import PeftLayers, Sizes, target_shapes
from harness.method import BaseInfo, Context, Family

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn


class IA3(PeftLayers):
    """Keys, values and the inner activations of the feed-forward layer are multiplied by trained vectors.

    The rate is that of the paper's recipe T-Few.
    """

    source: ClassVar[str] = "Liu et al. 2022, https://arxiv.org/abs/2205.05638"
    family: ClassVar[Family] = "scaling"
    learning_rate: ClassVar[float] = 3e-3
    config_class: ClassVar[str] = "IA3Config"

    target_modules: tuple[str, ...] = Field(
        ("role:key", "role:value", "role:down"),
        description="The layers whose outputs are scaled (of a feed-forward layer's contraction, its inputs): names or "
        "their endings, roles (role:key) or regular expressions (/…/).",
    )

    def config(self, model: "nn.Module", context: Context) -> "PeftConfig":
        """peft's configuration, which is told of which layers the inputs are scaled."""
        config = super().config(model, context)
        config.feedforward_modules = {name for name in config.target_modules if role_of(name) == "down"}
        return config

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """None."""
        return {}

    def expected_params(self, base: BaseInfo) -> int | None:
        """A factor for each output, or for each input of a contraction."""
        shapes = target_shapes(base, self.target_modules)
        return base.n_blocks * sum(s.inputs if s.role == "down" else s.outputs for s in shapes) or None

    def space(self) -> Space:
        """The rate alone."""
        return {"learning_rate": Range(1e-3, 1e-1, log=True)}
