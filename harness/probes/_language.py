"""The loss of a language model on a text held fixed, of an adapted model and of its base."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.bases.context import of_tokens
from harness.core.errors import Unsupported
from harness.probe import Subject
from harness.probes._states import batches, device_of, hidden_states

AUTO_CLASSES = {"encoder": "AutoModelForMaskedLM", "decoder": "AutoModelForCausalLM"}
MASKED = 0.15
"""Share of the tokens that a masked language model has to fill in, as BERT was trained."""


def token_losses(subject: Subject, model: nn.Module, sequences: Sequence[Sequence[int]]) -> list[float]:
    """Mean loss of each sequence's tokens in nats; those of a masked language model are of one length.

    A model that answers by its language head is asked as it is. Of another one the base's own head reads the states
    that the model's blocks give: what of the language is still there.

    Raises:
        Unsupported: the base has no head over the vocabulary.
    """
    kind = subject.base.kind
    if kind not in AUTO_CLASSES or (kind == "encoder" and not subject.base.has_mask_head):
        raise Unsupported("the base has no head over the vocabulary that reads one text")
    head = None if subject.auto_class == AUTO_CLASSES[kind] else subject.unadapted(AUTO_CLASSES[kind])
    losses: list[float] = []
    for ids, mask in batches(sequences, 0, device_of(model)):
        shown, wanted = _masked(ids, subject) if kind == "encoder" else (ids, _next(ids, mask))
        logits = _logits(model, head, shown, mask)
        each = cross_entropy(logits.transpose(1, 2), wanted, ignore_index=-100, reduction="none").sum(1)
        losses += (each / (wanted != -100).sum(1)).tolist()
    return losses


@torch.no_grad()
def _logits(model: nn.Module, head: nn.Module | None, ids: Tensor, mask: Tensor) -> Tensor:
    """Float32, shape (B, T, V)."""
    model.eval()
    if head is None:
        return of_tokens(model(input_ids=ids, attention_mask=mask).logits, ids.shape[1]).float()
    states = hidden_states(model, ids, mask)[-1]

    def put(module: nn.Module, args: object, output: object) -> object:
        output.last_hidden_state = states  # type: ignore[attr-defined]
        return output

    handle = head.base_model.register_forward_hook(put)  # type: ignore[union-attr]
    try:
        logits: Tensor = head.eval()(input_ids=ids, attention_mask=mask).logits.float()
    finally:
        handle.remove()
    return logits


def _next(ids: Tensor, mask: Tensor) -> Tensor:
    """The token after each, -100 after the last."""
    following = ids.masked_fill(mask == 0, -100)[:, 1:]
    return torch.cat([following, torch.full_like(ids[:, :1], -100)], dim=1)


def _masked(ids: Tensor, subject: Subject) -> tuple[Tensor, Tensor]:
    """Every seventh or so of the tokens as a mask, drawn from the tokens alone, and what they were."""
    generator = torch.Generator().manual_seed(int(ids.sum()))
    chosen = torch.rand(ids.shape, generator=generator).to(ids.device) < MASKED
    chosen[:, 0], chosen[:, 1] = False, True  # the first is no word; at least one is asked for
    return ids.masked_fill(chosen, subject.tokenizer.mask_token_id), ids.masked_fill(~chosen, -100)
