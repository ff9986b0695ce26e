"""How much each word of a text speaks for an answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BatchEncoding

from harness.core.errors import Unsupported
from harness.formulation import Batch, Row
from harness.libraries.extras import need
from harness.metrics._probabilities import log_probabilities
from harness.probe import Subject
from harness.probes._attention import read_attentions, rolled_out
from harness.probes._states import device_of
from harness.probes._texts import with_words, words_of
from harness.task import Example

Weights = NDArray[np.float64]
N_STEPS = 32
"""Of the path of integrated gradients."""


def probabilities(subject: Subject, examples: list[Example], label: int) -> Weights:
    """Of a label or choice, shape (N,)."""
    return np.asarray(np.exp(log_probabilities(subject.answer(examples)))[:, label])


def occlusion(subject: Subject, example: Example, label: int) -> Weights:
    """What the label's probability loses without each word, shape (W,)."""
    words = words_of(subject.task, example)
    without = [with_words(subject.task, example, words[:at] + words[at + 1 :]) for at in range(len(words))]
    found = probabilities(subject, [example, *without], label)
    return found[0] - found[1:]


def gradient_x_input(subject: Subject, example: Example, label: int) -> Weights:
    """Embedded words times the gradient of the label's log-probability, shape (W,)."""
    attr = need("captum.attr", "probes")
    row, forward = _scored(subject, example, label)
    ids = torch.tensor([row.sequences[0]], device=device_of(subject.model))
    layer = attr.LayerGradientXActivation(forward, subject.model.get_input_embeddings())  # type: ignore[operator]
    return _of_words(subject, example, row, layer.attribute(ids))


def integrated_gradients(subject: Subject, example: Example, label: int) -> Weights:
    """The gradient along the way from a text of padding to this one, times that way, shape (W,).

    They add up to the log-probability's difference between the two; tokens around the texts stay as they are.
    """
    attr = need("captum.attr", "probes")
    row, forward = _scored(subject, example, label)
    ids = torch.tensor([row.sequences[0]], device=device_of(subject.model))
    is_text = torch.tensor([[part is not None for part in _read(subject, example, row).sequence_ids()]])
    blank = torch.where(is_text.to(ids.device), subject.tokenizer.pad_token_id, ids)
    layer = attr.LayerIntegratedGradients(forward, subject.model.get_input_embeddings())  # type: ignore[operator]
    given = layer.attribute(ids, baselines=blank, n_steps=N_STEPS, internal_batch_size=16)
    return _of_words(subject, example, row, given)


def attention_rollout(subject: Subject, example: Example, label: int) -> Weights:
    """The share of each word in what the head reads, as attention mixes tokens, shape (W,); the same for every label.

    The head reads the first token of an encoder, or the mean of all where its configuration says so, and the last token
    of a decoder.
    """
    row, _ = _scored(subject, example, label)
    batch = subject.formulation.collate([row], device_of(subject.model))
    shares = rolled_out(read_attentions(subject.model, batch.inputs))
    is_mean = getattr(subject.model.config, "classifier_pooling", "") == "mean"
    read = shares.mean(0) if is_mean else shares[0 if subject.base.kind == "encoder" else -1]
    return _of_words(subject, example, row, read[None, :, None])


ATTRIBUTIONS: Mapping[str, Callable[[Subject, Example, int], Weights]] = {
    "occlusion": occlusion,
    "gradient_x_input": gradient_x_input,
    "integrated_gradients": integrated_gradients,
    "attention_rollout": attention_rollout,
}


def _scored(subject: Subject, example: Example, label: int) -> tuple[Row, Callable[[torch.Tensor], torch.Tensor]]:
    """The example's row, and what gives the label's log-probability for token ids of shape (N, T) in its place.

    Raises:
        Unsupported: the label is not read from a head.
    """
    if not subject.head_names or subject.task.kind != "classification":
        raise Unsupported("gradients and attention are for a head that gives a label; use attribution occlusion")
    subject.model.eval()
    (row,) = subject.formulation.encode([replace(example, target=label)])
    inputs = subject.formulation.collate([row], device_of(subject.model)).inputs

    def forward(ids: torch.Tensor) -> torch.Tensor:
        n = len(ids)
        given = {name: value.expand(n, -1) for name, value in inputs.items()} | {"input_ids": ids}
        return -subject.formulation.losses(subject.model, Batch([row] * n, given))

    return row, forward


def _of_words(subject: Subject, example: Example, row: Row, given: torch.Tensor) -> Weights:
    """Sums over the tokens of each word of the first text; words that were cut off have 0."""
    read = _read(subject, example, row)
    ends = [word.end() for word in re.finditer(r"\S+", example.fields[subject.task.text[0]])]
    weights = np.zeros(len(ends))
    values = given[0].sum(-1).tolist()
    for (begin, _), part, value in zip(read["offset_mapping"], read.sequence_ids(), values, strict=True):
        if part == 0:
            weights[np.searchsorted(ends, begin, side="right")] += value
    return weights


def _read(subject: Subject, example: Example, row: Row) -> BatchEncoding:
    """The row's tokens, with the text that each is of and its place there.

    Raises:
        Unsupported: the tokenizer alone does not make of the texts what the model read.
    """
    texts = [example.fields[column] for column in subject.task.text]
    length = subject.formulation.max_length
    read = subject.tokenizer(*texts, truncation=True, max_length=length, return_offsets_mapping=True)
    if read["input_ids"] != row.sequences[0]:
        raise Unsupported("tokens can't be told apart by words here; use attribution occlusion")
    return read
