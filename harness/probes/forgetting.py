"""What the base could do, and the adapted model can't any more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.core.errors import SpecError
from harness.core.info import BaseInfo, TaskInfo
from harness.probe import Measured, Probe, Quantity, Subject, Values

if TYPE_CHECKING:
    from torch import nn

    from harness.task import Example


class Forgetting(Probe):
    """Language, sentence embeddings and tasks not trained on: those of the adapted model against those of its base.

    Values are differences on the same examples, so that what the base never could counts as nothing lost.
    """

    source: ClassVar[str] = (
        "Luo et al. 2023, https://arxiv.org/abs/2308.08747; Biderman et al. 2024, https://arxiv.org/abs/2405.09673"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("general_loss_nats", "loss of a token of general text, of the next one or of a masked one"),
        Quantity("general_loss_increase_nats", "what that loss gained over the base's"),
        Quantity("similarity_rank_correlation", "Spearman of cosines with human judgements", higher_is_better=True),
        Quantity("similarity_drop", "what that correlation lost against the base's"),
        Quantity("untrained_tasks_drop", "share of answers to other tasks, without training, that were lost"),
    )

    text: str = Field("xsum", description="Task whose test has the general text, in its first column.")
    n_texts: int = Field(128, ge=2, description="Texts read; shorter ones than n_tokens are passed over.")
    n_tokens: int = Field(64, ge=8, description="First tokens of each that count.")
    similarity: str = Field("stsb", description="Task of sentence pairs with their likeness, for sentence encoders.")
    n_pairs: int = Field(500, ge=3, description="Pairs compared.")
    tasks: tuple[str, ...] = Field((), description="Tasks asked of a language model without training on them.")
    n_examples: int = Field(100, ge=2, description="Test examples of each of them.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Nothing to forget that could be measured."""
        if base.kind == "decoder" or (base.kind == "encoder" and (base.has_mask_head or base.is_sentence_embedding)):
            return None
        return "forgetting needs a decoder, an encoder that fills in masks or one that embeds sentences"

    def reads(self, base: BaseInfo) -> list[str]:
        """Those that such a base is asked."""
        text = [self.text] if base.kind == "decoder" or base.has_mask_head else []
        similarity = [self.similarity] if base.is_sentence_embedding else []
        return [*text, *similarity, *(self.tasks if base.kind == "decoder" else ())]

    def after(self, subject: Subject) -> Values:
        """Whatever of the three the base can."""
        unadapted = subject.unadapted()
        found: dict[str, Measured] = {}
        if subject.base.kind == "decoder" or subject.base.has_mask_head:
            found |= self._language(subject, unadapted)
        if subject.base.is_sentence_embedding:
            found |= self._similarity(subject, unadapted)
        if self.tasks and subject.base.kind == "decoder":
            found["untrained_tasks_drop"] = self._tasks(subject, unadapted)
        return found

    def _language(self, subject: Subject, unadapted: "nn.Module") -> dict[str, Measured]:
        from harness.probes._language import token_losses
        from harness.statistics.measured import mean_of

        examples = test_of(self.text, None)
        column = next(iter(examples[0].fields))
        read = [(one.id, subject.tokenizer(one.fields[column], verbose=False)["input_ids"]) for one in examples]
        kept = [(name, ids[: self.n_tokens]) for name, ids in read if len(ids) >= self.n_tokens][: self.n_texts]
        if len(kept) < 2:
            raise SpecError(f"{self.text} has {len(kept)} texts of {self.n_tokens} tokens; set forgetting.n_tokens")
        names, sequences = [name for name, _ in kept], [ids for _, ids in kept]
        now, before = (np.array(token_losses(subject, model, sequences)) for model in (subject.model, unadapted))
        return {"general_loss_nats": mean_of(now, names), "general_loss_increase_nats": mean_of(now - before, names)}

    def _similarity(self, subject: Subject, unadapted: "nn.Module") -> dict[str, Measured]:
        from scipy.stats import spearmanr

        from harness.probes._sentences import cosines
        from harness.statistics.measured import resampled

        pairs = test_of(self.similarity, self.n_pairs)
        target = np.array([float(str(pair.target)) for pair in pairs])
        now, before = (cosines(model, subject.tokenizer, pairs) for model in (subject.model, unadapted))

        def lost(at: NDArray[np.int64]) -> float:
            return float(spearmanr(target[at], before[at]).statistic - spearmanr(target[at], now[at]).statistic)

        return {
            "similarity_rank_correlation": resampled(
                lambda at: float(spearmanr(target[at], now[at]).statistic), len(pairs)
            ),
            "similarity_drop": resampled(lost, len(pairs)),
        }

    def _tasks(self, subject: Subject, unadapted: "nn.Module") -> Measured:
        from harness.data.tasks import find_task
        from harness.metric import make_metric
        from harness.statistics.measured import mean_of

        names: list[str] = []
        drops: list[float] = []
        for name in self.tasks:
            metric = make_metric(find_task(name).metrics[0])
            asked = [subject.ask(model, name, self.n_examples) for model in (unadapted, subject.model)]
            before, now = (metric.per_example(answers) for answers in asked)
            if before is None or now is None:
                raise SpecError(f"forgetting.tasks: {metric.name} of {name} is no mean over examples")
            names += [f"{name}/{one}" for one in asked[0].example_ids.to_pylist()]
            drops += (metric.sign * (before.astype(float) - now.astype(float))).tolist()
        return mean_of(drops, names)


def test_of(name: str, limit: int | None) -> "Sequence[Example]":
    """Test examples of a task, the same for every seed."""
    from harness import data
    from harness.core.spec import TaskSpec
    from harness.data.tasks import find_task

    splits, _ = data.load(find_task(name), TaskSpec(name=name, test_limit=limit), 0)
    return splits.test
