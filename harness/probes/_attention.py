"""How the attention of all blocks together mixes tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from harness.bases.internals import attention_of
from harness.core.errors import Unsupported
from harness.speed.first_token import every_token


def rolled_out(attentions: Sequence[Tensor]) -> Tensor:
    """What of each token reaches each token of the last block, shape (T, T); every row adds up to 1.

    The product of the blocks' matrices, the last one leftmost: each the mean over heads, and half of it the identity
    for the residual connection.

    Args:
        attentions: Of each block from the first, shape (H, T, T).

    Source:
        Abnar and Zuidema 2020, equation 1 and section 3, https://arxiv.org/abs/2005.00928
    """
    identity = torch.eye(attentions[0].shape[-1], device=attentions[0].device)
    result = identity
    for attention in attentions:
        result = (0.5 * attention.float().mean(0) + 0.5 * identity) @ result
    return result


@torch.no_grad()
def read_attentions(model: nn.Module, inputs: dict[str, Tensor]) -> list[Tensor]:
    """Of each block, shape (H, T, T), for one sequence; computed by the eager kernel, which alone gives them.

    Raises:
        Unsupported: the model gives none, or attends to other tokens than the input's too.
    """
    n_tokens = inputs["input_ids"].shape[1]
    with _eager(model) as inner, every_token():
        given = getattr(model.eval()(**inputs, output_attentions=True), "attentions", None)
    found = [one[0] for one in given or () if one is not None]
    if len(found) != inner.config.num_hidden_layers:
        raise Unsupported(
            f"{type(inner).__name__} does not give the attention of its blocks; use attribution occlusion"
        )
    if any(one.shape[1:] != (n_tokens, n_tokens) for one in found):
        raise Unsupported("virtual tokens are attended to as well, and are no words; use attribution occlusion")
    return found


@contextmanager
def _eager(model: nn.Module) -> Iterator[Any]:
    """The model of transformers inside, with the eager kernel meanwhile.

    Raises:
        Unsupported: there is none, or it has no such kernel.
    """
    inner: Any = next((module for module in model.modules() if isinstance(module, PreTrainedModel)), None)
    if inner is None:
        raise Unsupported("only models of transformers give their attention; use attribution occlusion")
    before = attention_of(inner.config)
    try:
        inner.set_attn_implementation("eager")
        yield inner
    except ValueError as error:
        raise Unsupported(f"its attention can't be read: {error}; use attribution occlusion") from None
    finally:
        inner.set_attn_implementation(before)
