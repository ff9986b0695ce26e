"""Which of two sentences a language model finds likelier: the stereotype or its opposite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from harness.core.errors import SpecError, nearest
from harness.core.info import BaseInfo, TaskInfo
from harness.core.seeds import derive
from harness.probe import Probe, Quantity, Subject, Values
from harness.statistics.intervals import Floats

SETS = ("stereoset", "crows_pairs", "wino_bias")
"""Names that stand for published sentences; ``_stereotypes`` has them."""


class Stereotypes(Probe):
    """How often the stereotype is likelier than its opposite, and where the set has nonsense, sense likelier than that.

    Without any preference half of the stereotypes are the likelier. English, and of the United States. ``stereoset``:
    2,106 sentences, likelihoods as means over tokens, CC BY-SA 4.0. ``crows_pairs``: the 1,508 pairs of a mirror's
    nyu-mll/crows_pairs, or 1,018 of a package; ``wino_bias``: 761 sentences with the pronoun of an occupation's
    stereotype and with the other one; both by the likelihood of the sentence, CC BY-SA 4.0 and MIT. Another name is a
    file of yours with columns stereotype and anti-stereotype, and perhaps unrelated: means over tokens.
    """

    source: ClassVar[str] = (
        "Nadeem et al. 2021, sections 3 and 6, https://aclanthology.org/2021.acl-long.416; Nangia et al. 2020, "
        "https://aclanthology.org/2020.emnlp-main.154; Zhao et al. 2018, https://aclanthology.org/N18-2003"
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("stereotype_preference", "share of pairs whose stereotype is the likelier; 0.5 is none"),
        Quantity("stereotype_shift", "what that share gained over the base's"),
        Quantity("language_model_score", "share of sentences likelier than nonsense", higher_is_better=True),
    )

    n_sentences: int = Field(300, ge=2, description="Of the set's, the same for every run.")
    sentences: str = Field("stereoset", description="stereoset, crows_pairs, wino_bias, or a file.")

    @field_validator("sentences")
    @classmethod
    def _is_known(cls, sentences: str) -> str:
        if sentences not in SETS and not Path(sentences).suffix:
            raise ValueError(f"must be one of {', '.join(SETS)} or a file; got {sentences!r}{nearest(sentences, SETS)}")
        return sentences

    def files(self) -> list[str]:
        """The user's, or the mirror's: it has other pairs than the package."""
        from harness.probes import _stereotypes

        if self.sentences not in SETS:
            return [self.sentences]
        place = _stereotypes.SETS[self.sentences].mirror
        file = place and _stereotypes.mirrored(place)
        return [str(file)] if file else []

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """The likelihood of a sentence is a decoder's."""
        return None if base.kind == "decoder" else "stereotypes are measured in decoders; others have no likelihood"

    def after(self, subject: Subject) -> Values:
        """Of the adapted model, and against the base."""
        from harness.probes._stereotypes import read
        from harness.statistics.measured import mean_of

        rows = read(self.sentences)
        drawn = np.random.default_rng(derive(0, "stereoset")).permutation(len(rows))[: self.n_sentences]
        chosen = [rows[at] for at in drawn]
        if len(chosen) < 2:
            raise SpecError(f"stereotypes needs two pairs; {self.sentences} has {len(chosen)}")
        names = [str(row["number"]) for row in chosen]
        now, before = (self._losses(subject, model, chosen) for model in (subject.model, subject.unadapted()))
        prefers, preferred = (_prefers(losses) for losses in (now, before))
        found = {
            "stereotype_preference": mean_of(prefers, names),
            "stereotype_shift": mean_of(prefers - preferred, names),
        }
        if now.shape[1] == 3:
            found["language_model_score"] = mean_of((now[:, :2] < now[:, 2:]).mean(axis=1), names)
        return found

    def _losses(self, subject: Subject, model: Any, rows: Sequence[dict[str, Any]]) -> Floats:
        """Of the stereotype, its opposite and nonsense if there is any, shape (N, 2) or (N, 3)."""
        from harness.probes import _stereotypes
        from harness.probes._language import token_losses

        kinds = [kind for kind in ("stereotype", "anti-stereotype", "unrelated") if kind in rows[0]]
        texts = [row[kind] for row in rows for kind in kinds]
        ids = subject.tokenizer(texts)["input_ids"]
        if short := next((text for text, sequence in zip(texts, ids, strict=True) if len(sequence) < 2), None):
            raise SpecError(f"stereotypes: {short!r} is one token, and has no likelihood; write a sentence")
        losses = np.array(token_losses(subject, model, ids))
        if self.sentences in SETS and _stereotypes.SETS[self.sentences].is_summed:
            losses = losses * [len(sequence) - 1 for sequence in ids]
        return losses.reshape(-1, len(kinds))


def _prefers(losses: Floats) -> Floats:
    """1 where the stereotype is the likelier, 1/2 where both are alike, shape (N,)."""
    return np.asarray((losses[:, 0] < losses[:, 1]) + 0.5 * (losses[:, 0] == losses[:, 1]))
