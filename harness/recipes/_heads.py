"""A head of another task on the model that a run trains."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from harness.core.seeds import derive
from harness.recipe import Training
from harness.recipes._unlabelled import token_states


class OwnHead(nn.Module):
    """Called like the model, it gives logits of its own: linear, of the mean of the tokens, or of each word's.

    Args:
        training: Of its model the last hidden states are read.
        n_outputs: Logits.
        purpose: What its weights are drawn for, with the run's seed.
        of_words: Whether each token has logits.
    """

    def __init__(self, training: Training, n_outputs: int, purpose: str, *, of_words: bool) -> None:
        super().__init__()
        embedded: Any = training.model.get_input_embeddings()  # type: ignore[operator]
        self._training, self._of_words = training, of_words
        config: Any = training.model.config
        self.linear = nn.Linear(getattr(config, "hidden_size", embedded.weight.shape[1]), n_outputs)
        generator = torch.Generator().manual_seed(derive(training.seed, purpose))
        with torch.no_grad():
            self.linear.weight.normal_(0.0, 0.02, generator=generator)
            self.linear.bias.zero_()
        self.to(embedded.weight.device)

    def forward(self, **inputs: Tensor) -> SequenceClassifierOutput:
        """Logits of shape (B, L), or (B, T, L)."""
        states = token_states(self._training, inputs)
        if not self._of_words:
            mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
            states = (states * mask).sum(1) / mask.sum(1)
        return SequenceClassifierOutput(logits=self.linear(states))
