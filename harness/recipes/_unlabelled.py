"""Learning from the texts themselves, beside the task: what the self-supervised recipes share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.formulation import IGNORED
from harness.recipe import Training

if TYPE_CHECKING:
    from torch import Tensor

Vocabulary = Callable[["Tensor"], "Tensor"]
"""Hidden states, shape (N, D), to logits of tokens, shape (N, V)."""


def token_states(training: Training, inputs: "dict[str, Tensor]") -> "Tensor":
    """The last hidden state of each token of the input, shape (sequences, T, D)."""
    from harness.bases.context import of_tokens

    output = training.model(**inputs, output_hidden_states=True)
    return of_tokens(output.hidden_states[-1], inputs["input_ids"].shape[1])


def own_head(name: str) -> "Vocabulary | None":
    """The head with which a checkpoint fills in masks, as it was pretrained and frozen; None where it has none."""
    from harness.bases.info import base_info

    if not name or not base_info(name, "none").has_mask_head:
        return None
    from torch import nn
    from transformers.modeling_outputs import BaseModelOutput

    from harness.bases.load import Wanted, load
    from harness.core.spec import BaseSpec

    class Given(nn.Module):
        """Stands where the transformer was."""

        def forward(self, input_ids: "Tensor", *_args: Any, **_kwargs: Any) -> BaseModelOutput:
            return BaseModelOutput(last_hidden_state=input_ids)

    model: Any = load(BaseSpec(name=name), Wanted("AutoModelForMaskedLM")).model.requires_grad_(False)
    setattr(model, model.base_model_prefix, Given())
    return lambda states: model(input_ids=states).logits


def tied_head(training: Training) -> Vocabulary:
    """The product with the embeddings themselves, for a model without a head over tokens."""
    lookup: Any = training.model.get_input_embeddings()  # type: ignore[operator]
    return lambda states: states @ lookup.weight.to(states.dtype).T


def row_means(values: "Tensor", counted: "Tensor", batch: Any) -> "Tensor":
    """The mean over what is counted in each row, times what the task counts in it; 0 where nothing is.

    Args:
        values: Of each token, shape (sequences, T).
        counted: Which of them count, bool, of the same shape.
        batch: Its rows have one sequence or more.

    Returns:
        Float32, shape (B,).
    """
    import torch

    n_sequences = [len(row.sequences) for row in batch.rows]
    parts = zip((values.float() * counted).split(n_sequences), counted.split(n_sequences), strict=True)
    means = torch.stack([part.sum() / which.sum().clamp_min(1) for part, which in parts])
    n_words = [sum(target != IGNORED for target in row.targets) if row.targets else 1 for row in batch.rows]
    return means * torch.tensor(n_words, device=means.device)
