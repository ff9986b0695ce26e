"""Language modelling of the input beside the task."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._unlabelled import row_means, tied_head, token_states

if TYPE_CHECKING:
    from torch import Tensor


class CausalLM(Recipe):
    """Predict each next token of what is read before the answer, beside the task.

    With the model's own head; where a new head answers, with the embeddings in its place. At a task_weight of 0 nothing
    is learned from labels, which then only choose the checkpoint, and the answers are zero-shot ones. A run of that
    kind with every weight trained, exported as a plain checkpoint, is a base adapted to the task's texts (Gururangan et
    al. 2020), whose record has its cost.
    """

    source: ClassVar[str] = (
        "Radford et al. 2018, equation 5, "
        "https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"hidden_states"})

    weight: float = Field(0.5, ge=0, description="Weight of the loss of the input's tokens.")
    task_weight: float = Field(1.0, ge=0, description="Weight of the task's loss; 0 learns from the texts alone.")

    @property
    def passes(self) -> float:
        """One for the answer, one for the text before it."""
        return 2.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only a decoder has not read the next token yet."""
        return None if base.kind == "decoder" else f"causal_lm needs a decoder; this base is {base.kind}"

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and the mean cross-entropy of the input's tokens, by row, shape (B,)."""
        import torch
        from torch.nn.functional import cross_entropy

        losses, ids = inner(batch), batch.inputs["input_ids"]
        logits = self._logits(training, batch.inputs)[:, :-1].float()
        told = cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")  # (sequences, T - 1)
        places = torch.arange(1, ids.shape[1], device=ids.device)
        read = batch.inputs["attention_mask"][:, 1:].bool() & (places < _ends(batch).to(ids.device).unsqueeze(1))
        training.log("causal_lm/loss", (told * read).sum().item() / max(1, int(read.sum())))
        return self.task_weight * losses + self.weight * row_means(told, read, batch)

    def _logits(self, training: Training, inputs: "dict[str, Tensor]") -> "Tensor":
        from harness.bases.context import of_tokens

        model: Any = training.model
        if model.get_output_embeddings() is None:
            return tied_head(training)(token_states(training, inputs))
        return of_tokens(model(**inputs).logits, inputs["input_ids"].shape[1])

    def space(self) -> Space:
        """How much it counts beside the task."""
        return {"weight": Range(0.01, 1.0, log=True)}


def _ends(batch: Any) -> "Tensor":
    """Where the answer begins in each sequence, or its end where it holds none; shape (sequences,)."""
    import torch

    ends = []
    for row in batch.rows:
        starts = {span.sequence: span.start + 1 for span in row.spans}
        ends += [starts.get(n, len(sequence)) for n, sequence in enumerate(row.sequences)]
    return torch.tensor(ends)
