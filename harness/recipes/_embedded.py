"""The embedded tokens of a batch, watched and moved: what adversarial training and its kin share.

A model may look its tokens up several times in a pass, an encoder-decoder for instance twice: embedded tokens and
their moves are lists with one tensor for each time, shape (B, T, D).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from harness.recipe import Training
from harness.recipes._answers import with_answers

if TYPE_CHECKING:
    from torch import Tensor, nn

P = ParamSpec("P")
R = TypeVar("R")
Moves = list["Tensor"]


def deviation(training: Training) -> "Tensor":
    """Standard deviation of the embeddings: the unit in which moves are given, as it differs from base to base."""
    return _lookup(training).weight.detach().float().std()  # type: ignore[operator]


def rewritten(training: Training, change: "Callable[[Tensor], Tensor]", call: Callable[[], R]) -> R:
    """What ``call`` returns while embedded tokens, shape (B, T, D), are changed."""
    handle = _lookup(training).register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        return call()
    finally:
        handle.remove()


def watched(training: Training, call: Callable[[], R]) -> tuple[R, Moves]:
    """What ``call`` returns, and the tokens as it embedded them; gradients with respect to them can be asked for."""
    embedded: Moves = []

    def watch(output: "Tensor") -> "Tensor":
        output = output if output.requires_grad else output.requires_grad_()
        embedded.append(output)
        return output

    return rewritten(training, watch, call), embedded


def moved(training: Training, moves: Moves, call: Callable[[], R]) -> R:
    """What ``call`` returns, a pass with each of its embedded tokens moved."""
    steps = iter(moves)
    return rewritten(training, lambda output: (output + next(steps)).to(output.dtype), call)


def answers_at(training: Training, moves: Moves, batch: Any, call: "Callable[[], Tensor]") -> "list[Tensor]":
    """The logits of what each row answers, moved; see ``answer_logits``."""
    return with_answers(training, batch, lambda: moved(training, moves, call))[1]


def gradients(value: "Tensor", of: Moves) -> Moves:
    """The gradients of a number, float32; zero where it does not depend on them."""
    import torch

    found = torch.autograd.grad(value, of, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g.float() for x, g in zip(of, found, strict=True)]


def unit(moves: Moves) -> Moves:
    """Each sequence's move divided by its length; zero stays zero."""
    return [move / _lengths(move) for move in moves]


def inside(moves: Moves, radius: "Tensor") -> Moves:
    """Each sequence's move, shortened where it is longer than the radius."""
    return [move * (radius / _lengths(move)).clamp(max=1) for move in moves]


def real(move: "Tensor", batch: Any) -> "Tensor":
    """A move without that of padding, which only the input has."""
    mask = batch.inputs["attention_mask"]
    return move * mask.unsqueeze(-1) if move.shape[:2] == mask.shape else move


def same_dropout(call: Callable[P, R]) -> Callable[P, R]:
    """The same function, which drops the same units at every call: what passes differ in is then the move alone."""
    import torch

    seed = int(torch.randint(2**63 - 1, ()))

    def seeded(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return call(*args, **kwargs)

    return seeded


@dataclass(frozen=True)
class Ascent:
    """A walk of the embedded tokens up the loss.

    Args:
        length: Of a step of a sequence.
        radius: How far a sequence gets from where it was.
        n_steps: Steps.
    """

    length: "Tensor"
    radius: "Tensor"
    n_steps: int

    def losses(
        self, training: Training, draw: "Callable[[Tensor], Tensor]", call: "Callable[[], Tensor]"
    ) -> "Iterator[Tensor]":
        """The losses at the start and after each step along the normalized gradient, shape (B,) each.

        Args:
            training: The run.
            draw: The move to begin at, float32, from the embedded tokens.
            call: A pass of the batch.
        """
        moves: Moves = []

        def begin(embedded: "Tensor") -> "Tensor":
            moves.append(draw(embedded.detach()).requires_grad_())
            return (embedded + moves[-1]).to(embedded.dtype)

        losses = rewritten(training, begin, call)
        yield losses
        for _ in range(self.n_steps):
            ahead = unit(gradients(losses.sum(), moves))
            walked = inside([x.detach() + self.length * g for x, g in zip(moves, ahead, strict=True)], self.radius)
            moves = [move.requires_grad_() for move in walked]
            losses = moved(training, moves, call)
            yield losses


def _lengths(moves: "Tensor") -> "Tensor":
    """Shape (B, 1, 1)."""
    return moves.float().flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1)


def _lookup(training: Training) -> "nn.Module":
    return training.model.get_input_embeddings()  # type: ignore[operator]
