"""Losses of examples."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from harness.metrics.nll import Nll
from harness.probe import Subject
from harness.probes._states import BATCH, device_of
from harness.task import Example


@torch.no_grad()
def losses(subject: Subject, examples: Sequence[Example]) -> NDArray[np.float64]:
    """What the model makes of each target, in nats where that is a label or a choice, shape (N,).

    Of others the training loss without dropout, a mean over what is counted in an example.
    """
    if subject.task.kind in ("classification", "multiple_choice"):
        return Nll().per_example(subject.answer(examples))
    model, formulation = subject.model.eval(), subject.formulation
    rows = formulation.encode_training(examples)
    found: list[float] = []
    for at in range(0, len(rows), BATCH):
        part = rows[at : at + BATCH]
        given = formulation.losses(model, formulation.collate(part, device_of(model))).float().tolist()
        found += [loss / max(1, formulation.n_counted([row])) for row, loss in zip(part, given, strict=True)]
    return np.array(found)
