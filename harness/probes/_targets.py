"""What a language model's targets cost it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.probe import Subject
from harness.probes._states import BATCH, device_of
from harness.task import Example


@torch.no_grad()
def target_losses(subject: Subject, examples: Sequence[Example]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The loss of each example's target in nats, mean over its tokens, and how many these are; both of shape (N,).

    Raises:
        SpecError: the base answers by a head or a similarity.
    """
    formulation, model = subject.formulation, subject.model.eval()
    losses, counts = np.zeros(len(examples)), np.zeros(len(examples), dtype=np.int64)
    rows = formulation.encode_training(examples)
    if not all(row.spans for row in rows):
        raise SpecError("perplexity needs answers that are text; set formulation=likelihood or generation")
    order = sorted(range(len(rows)), key=lambda at: rows[at].length)
    for start in range(0, len(order), BATCH):
        at = order[start : start + BATCH]
        batch = formulation.collate([rows[place] for place in at], device_of(model))
        losses[at] = formulation.losses(model, batch).double().cpu().numpy()
        counts[at] = [sum(len(span.token_ids) for span in rows[place].spans) for place in at]
    return losses, counts
