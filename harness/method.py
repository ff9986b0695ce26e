"""The method contract: one file in methods/ is one frozen class of hyperparameters with these few hooks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.errors import SpecError
from harness.core.info import BaseInfo, BaseKind, LinearShape, Need, TaskInfo
from harness.core.plugins import Plugin, Registry
from harness.core.space import Space
from harness.core.spec import MethodSpec

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

__all__ = [
    "METHODS",
    "BaseInfo",
    "BaseKind",
    "Context",
    "Family",
    "LinearShape",
    "Method",
    "Scoring",
    "TaskInfo",
    "make_method",
]

Family = Literal[
    "none",
    "full",
    "selective",
    "low-rank",
    "orthogonal",
    "spectral",
    "scaling",
    "bottleneck",
    "prompt",
    "side",
]
"""What is trained: nothing; the whole base; a part of it; an update of its weights as a product of small factors, as a
rotation or in a transform's space; vectors that scale activations; small networks between its layers; virtual tokens; a
network beside it."""


@dataclass(frozen=True)
class Context:
    """What ``apply`` may use.

    ``head_names`` are the dotted names of the modules made for the task (an untrained pooler and a head that the
    checkpoint brings from another task among them), drawn from the seed; every method trains them.
    ``total_steps`` is the true number of optimizer steps. ``seed`` is already derived for the purpose "init", and torch
    is seeded with it when ``apply`` is called. ``fused`` allows kernels of the method's own.
    """

    base: BaseInfo
    task: TaskInfo
    head_names: tuple[str, ...]
    total_steps: int
    seed: int
    fused: bool = True


@dataclass(frozen=True)
class Scoring:
    """How a language model's answers are scored without training."""

    n_shots: int = 0
    shots: Literal["random", "nearest"] = "random"
    normalization: Literal["none", "length"] = "none"
    calibration: Literal["none", "contextual", "unconditional"] = "none"


class Method(Plugin):
    """A way of adapting a base; the fields of a subclass are its hyperparameters with the published defaults."""

    family: ClassVar[Family]
    """The group it is listed in."""
    trains: ClassVar[bool] = True
    starts_as_base: ClassVar[bool] = True
    """Whether, before a step is made, it answers as the base with the same head does."""
    uncheckpointed: ClassVar[str | None] = None
    """Why activations can't be recomputed under this method, where they can't."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """What of the model it reads in training: a speed trick that would break it is off for the run."""
    learning_rate: ClassVar[float]
    """The published peak rate, which a run uses unless told otherwise."""

    def unquantized_blocks(self, n_blocks: int) -> range:
        """Indices of the transformer blocks to load in full precision on a quantized base."""
        return range(0)

    def virtual_tokens(self) -> int:
        """Positions before the input that the method takes from the base's context."""
        return 0

    def expected_params(self, base: BaseInfo) -> int | None:
        """Parameters trained in the end, without the head, by formula; None where the budget is not a setting.

        `check` compares them before anything has run.
        """
        return None

    @property
    def final_rank(self) -> int | None:
        """Rank of a low-rank update at the end of training, which is its budget; None for other methods."""
        return None

    def scoring(self) -> Scoring:
        """How language-model answers are scored; only methods that train nothing change it."""
        return Scoring()

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """Freeze, wrap and return the model; what requires grad afterwards is what is trained and stored."""
        raise NotImplementedError

    @property
    def n_start_examples(self) -> int:
        """Training examples that ``start`` is given."""
        return 0

    def start(self, model: "nn.Module", batches: "Iterable[Any]") -> None:
        """Called once before training if ``n_start_examples`` is not 0, to begin from what the model makes of examples.

        Args:
            model: What ``apply`` returned.
            batches: As many training examples, drawn by the seed, with ``inputs``, what the model is called with.
        """

    def after_step(self, model: "nn.Module", step: int) -> None:
        """Called after backward and the optimizer step, before zero_grad; ``step`` counts from 1."""

    def groups(self, model: "nn.Module", rate: float) -> "list[dict[str, Any]]":
        """What is trained, as the parameter groups of a torch optimizer; one without ``lr`` is trained at ``rate``."""
        return [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]

    def optimizer(
        self, groups: "list[dict[str, Any]]", inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """The optimizer of the groups; ``inner`` makes the usual one, AdamW."""
        return inner(groups)

    def extra_loss(self, model: "nn.Module", batch: "Any") -> "Tensor | None":
        """A scalar added to the task loss and logged apart, or None; called after the batch's forward pass.

        Args:
            model: What ``apply`` returned.
            batch: ``rows`` with their examples, and ``inputs``, what the model was called with.
        """
        return None

    def space(self) -> Space:
        """What a search may vary; each default lies inside its range.

        ``learning_rate`` may be among it: the range of the peak rate, if not a factor of ten around the published one.
        """
        return {}

    def state_dict(self, model: "nn.Module") -> dict[str, Any]:
        """What it knows after a step beside trained parameters and buffers, for a checkpoint: tensors, plain values."""
        return {}

    def load_state_dict(self, model: "nn.Module", state: dict[str, Any]) -> None:
        """Take it back into what ``apply`` returned, with tensors on the CPU."""

    def trainable_final(self, model: "nn.Module") -> int | None:
        """Trainable parameters left after pruning, or None where training prunes nothing."""
        return None

    def merge(self, model: "nn.Module") -> "nn.Module":
        """A model of the base's own architecture that computes the same, for export as a plain checkpoint.

        Raises:
            SpecError: where there is none.
        """
        raise SpecError(f"no plain checkpoint can hold what {type(self).__name__} does; export its own files instead")

    def save(self, model: "nn.Module", folder: Path) -> None:
        """Write what was trained to ``folder`` (safetensors)."""
        from harness.storage.checkpoint import save_trainable

        save_trainable(model, folder)

    def load(self, model: "nn.Module", folder: Path) -> None:
        """Read what ``save`` wrote into a model that ``apply`` returned, in place."""
        from harness.storage.checkpoint import load_trainable

        load_trainable(model, folder)


METHODS = Registry("method", "harness.methods", Method)
"""Every method: a file in methods/, or an entry point."""


def make_method(spec: MethodSpec) -> Method:
    """The method with its hyperparameters.

    Raises:
        SpecError: an unknown method, or every field that is wrong.
    """
    return METHODS.make(spec.name, spec.settings)
