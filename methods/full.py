"""Full fine-tuning."""

from typing import ClassVar

from harness.methods._every_parameter import EveryParameter


class FullFineTuning(EveryParameter):
    """Every parameter of the base is trained.

    The rate is the highest of the four that Devlin et al. (appendix A.3) try on every task: 5e-5, 4e-5, 3e-5, 2e-5.
    """

    source: ClassVar[str] = "Devlin et al. 2019, https://arxiv.org/abs/1810.04805"
    version: ClassVar[int] = 2  # an untrained pooler is trained with the head
    learning_rate: ClassVar[float] = 5e-5
