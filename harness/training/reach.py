"""Whether training reached what it was to train: a run whose method had no part in the loss is not ok."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from harness.bases.heads import is_of_head
from harness.storage.checkpoint import trainable
from harness.training.ranks import ALONE, Ranks


class Unreached(Exception):
    """What was to be trained had no part in the loss, at no step."""


class Reach:
    """Sees the gradients of a model's trainable tensors from now on.

    Of the head and of the rest, one tensor at least must once have a gradient that is not zero. Single tensors may lack
    one: LoRA's A at the first step, where B is zero; a pooler that full fine-tuning trains and a formulation never
    reads. But each tensor that the method itself added must take part in the loss.

    Args:
        model: What the method returned.
        head_names: The modules made for the task.
        added: Names of the trainable tensors that the base did not have.
    """

    def __init__(self, model: nn.Module, head_names: Sequence[str], added: frozenset[str]) -> None:
        parameters = trainable(model)
        self._head = {name for name in parameters if is_of_head(name, head_names)}
        self._rest = parameters.keys() - self._head
        self._unused = set(added)
        self._still = set(parameters)
        self._handles = [
            parameter.register_post_accumulate_grad_hook(partial(self._see, name))
            for name, parameter in parameters.items()
        ]

    def _see(self, name: str, parameter: Tensor) -> None:
        self._unused.discard(name)
        if name in self._still and parameter.grad is not None and bool(parameter.grad.any()):
            self._still.remove(name)

    def state_dict(self) -> dict[str, list[str]]:
        """What no gradient has reached yet, for a checkpoint."""
        return {"unused": sorted(self._unused), "still": sorted(self._still)}

    def load_state_dict(self, state: dict[str, list[str]]) -> None:
        """Go on with it."""
        self._unused, self._still = set(state["unused"]), set(state["still"])

    def check(self, ranks: Ranks = ALONE) -> None:
        """Say what training has not reached so far, in no process, and look no longer.

        Raises:
            Unreached: naming the first of the tensors.
        """
        for handle in self._handles:
            handle.remove()
        told = ranks.gather([sorted(self._still), sorted(self._unused)])
        still, unused = (set.intersection(*map(set, sets)) for sets in zip(*told, strict=True))
        for part in (self._rest, self._head):
            if part and part <= still:
                raise Unreached(f"no gradient ever reached what was to be trained: {_listed(part)}")
        if unused:
            raise Unreached(f"the loss does not depend on what the method added: {_listed(unused)}")


def _listed(names: set[str]) -> str:
    return f"{', '.join(sorted(names)[:3])} ({len(names)} in all)"
