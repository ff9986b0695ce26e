"""Learning from texts alone, as bases are pretrained: masked tokens, or each next one."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.bases.masking import choose_tokens, mask_tokens
from harness.core.errors import HarnessError, Unsupported
from harness.formulation import Answer, Batch, Row
from harness.formulations._heads import BoundHead


@dataclass
class BoundTexts(BoundHead):
    """Rows as a head on an encoder reads them, of texts or pairs; nothing is answered.

    Args:
        mask_rate: Share of the tokens that an encoder is to tell.
    """

    mask_rate: float = 0.15

    def n_counted(self, rows: list[Row]) -> int:  # type: ignore[override]
        """The tokens that are told; of those to be masked, as many as are expected, at least one."""
        if self._is_encoder:
            return max(1, round(self.mask_rate * sum(len(self._text(row)) for row in rows)))
        return sum(row.n_tokens - 1 for row in rows)

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Summed cross-entropy of what is told in each row, float32, shape (B,).

        Raises:
            Unsupported: the tokenizer of an encoder has no mask.
        """
        ids = batch.inputs["input_ids"]
        if not self._is_encoder:
            logits = model(**batch.inputs).logits[:, :-1].float()
            told = cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
            return (told * batch.inputs["attention_mask"][:, 1:]).sum(1)
        if self.tokenizer.mask_token_id is None:
            raise Unsupported("an encoder is pretrained on masked tokens; this base's tokenizer has no mask token")
        chosen = choose_tokens(self.tokenizer, batch.inputs, self.mask_rate)
        output = model(**batch.inputs | {"input_ids": mask_tokens(self.tokenizer, ids, chosen)})
        told = torch.zeros(ids.shape, device=ids.device)
        told[chosen] = cross_entropy(_logits(model, output, chosen).float(), ids[chosen], reduction="none")
        return told.sum(1)

    def answer(self, model: nn.Module, batch: Batch) -> list[Answer]:
        """Nothing is asked."""
        raise HarnessError("texts are learned from; they ask nothing")

    @property
    def _is_encoder(self) -> bool:
        return self.base.info.kind == "encoder"

    def _text(self, row: Row) -> list[int]:
        special = set(self.tokenizer.all_special_ids)
        return [token for token in row.sequences[0] if token not in special]


def _logits(model: Any, output: Any, chosen: Tensor) -> Tensor:
    """Of the chosen tokens, shape (N, V); by the embeddings where the model has no head over tokens."""
    if hasattr(output, "logits"):
        return output.logits[chosen]
    states = output.last_hidden_state[chosen]
    return states @ model.get_input_embeddings().weight.to(states.dtype).T
