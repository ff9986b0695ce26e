"""What a pass answers, row by row, and how far two passes are apart: for recipes that compare distributions."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from harness.core.errors import Unsupported
from harness.core.info import TaskInfo
from harness.formulation import IGNORED
from harness.recipe import Training

if TYPE_CHECKING:
    from torch import Tensor

R = TypeVar("R")


def no_distribution(name: str, task: TaskInfo) -> str | None:
    """Why a recipe of this name can't compare distributions: a number has none."""
    return f"{name} needs labels; regression has none" if task.kind == "regression" else None


def with_answers(training: Training, batch: Any, call: Callable[[], R]) -> "tuple[R, list[Tensor]]":
    """What ``call`` returns, and the answers of its first pass, as ``answer_logits`` gives them.

    Recipes further inside may pass a batch again, changed.
    """
    with training.outputs() as outputs:
        returned = call()
    return returned, answer_logits(outputs[0], batch)


def answer_logits(output: Any, batch: Any) -> "list[Tensor]":
    """The logits of what each row answers, float32, shape (N, L) by row.

    N is 1 for a label or a choice among L, else the number of tokens of the answer or of words that are tagged.

    Raises:
        Unsupported: the model gives no logits of labels, choices, words or tokens.
    """
    from harness.bases.context import of_tokens

    rows, logits = batch.rows, getattr(output, "logits", None)
    if logits is None:
        raise Unsupported("this formulation answers with no distribution over labels, choices or tokens")
    logits = logits.float()
    if logits.dim() == 3 and rows[0].targets:
        read = [[n for n, target in enumerate(row.targets) if target != IGNORED] for row in rows]
        of_words = of_tokens(logits, batch.inputs["input_ids"].shape[1])
        return [part[places] for part, places in zip(of_words, read, strict=True)]
    n_answered = [sum(len(span.token_ids) for span in row.spans) or len(row.sequences) for row in rows]
    if logits.dim() != 2 or len(logits) != sum(n_answered):
        raise Unsupported("this formulation gives its answers' logits in a shape that recipes don't know")
    parts = list(logits.split(n_answered))
    if logits.shape[1] > 1:
        return parts
    if max(n_answered) == 1:
        raise Unsupported("a number has no distribution to compare")
    return [part.T for part in parts]  # a score for each choice


def by_row(values: "Sequence[Tensor]", batch: Any) -> "Tensor":
    """What each row's loss would be of values of shape (N,): their sum over words, their mean over tokens."""
    import torch

    is_sum = bool(batch.rows[0].targets)
    return torch.stack([part.sum() if is_sum else part.mean() for part in values])


def divergence(one: "Tensor", other: "Tensor") -> "Tensor":
    """Kullback-Leibler divergence of the distribution of ``other`` from that of ``one``, in nats.

    Args:
        one: Logits, shape (N, L), as ``other``.

    Returns:
        Shape (N,).
    """
    log_p, log_q = one.log_softmax(-1), other.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def mixture(one: "Tensor", other: "Tensor") -> "Tensor":
    """Logits of the mean of two distributions, shape (N, L)."""
    return one.log_softmax(-1).logaddexp(other.log_softmax(-1))


def symmetric(one: "Tensor", other: "Tensor") -> "Tensor":
    """The sum of both divergences, shape (N,)."""
    return divergence(one, other) + divergence(other, one)
