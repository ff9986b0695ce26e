"""Back-translation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.space import Range
from harness.recipe import BaseInfo, Example, Recipe, Space, TaskInfo, Training

if TYPE_CHECKING:
    import numpy as np

    from harness.recipes._translation import Translator


class BackTranslation(Recipe):
    """Say training texts in other words: translated into another language and back, sampled anew in every epoch.

    Needs two bases that translate, which the user names. Their time is not in the passes of a step; it is in the
    training's seconds.
    """

    source: ClassVar[str] = "Xie et al. 2020, section 3.2, https://arxiv.org/abs/1904.12848"

    there: str = Field("", description="Base that translates the texts: a local folder or a hub id.")
    back: str = Field("", description="Base that translates back.")
    there_prompt: str = Field("", description="Put before a text to translate it, such as T5's.")
    back_prompt: str = Field("", description="The same for the way back.")
    rate: float = Field(0.5, ge=0, le=1, description="Share of the examples translated in an epoch.")
    temperature: float = Field(0.9, gt=0, description="Of sampling; lower is nearer to the likeliest translation.")
    max_new_tokens: int = Field(128, ge=1, description="Longest translation.")
    _out: "Translator | None" = PrivateAttr(default=None)
    _home: "Translator | None" = PrivateAttr(default=None)

    def bases(self) -> Sequence[str]:
        """Both translators."""
        return [name for name in (self.there, self.back) if name]

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Two encoder-decoders must be named, and words that are labelled keep their places."""
        from harness.bases.info import base_info

        if task.kind == "token_classification":
            return "back_translation would move words that are to be labelled"
        if not (self.there and self.back):
            return "back_translation needs two translating bases: set its there and back"
        kinds = {name: base_info(name, "none").kind for name in self.bases()}
        wrong = next((name for name, kind in kinds.items() if kind != "encoder_decoder"), None)
        return f"back_translation needs encoder-decoders; {wrong} is {kinds[wrong]}" if wrong else None

    def begin(self, training: Training) -> None:
        """Load both."""
        from harness.recipes._translation import Translator

        self._out = Translator.load(self.there, self.there_prompt, self.temperature, self.max_new_tokens)
        self._home = Translator.load(self.back, self.back_prompt, self.temperature, self.max_new_tokens)

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples, a share of them with all of their texts translated; choices and answers are whole."""
        assert self._out
        assert self._home
        chosen = [n for n, number in enumerate(random.random(len(train))) if number < self.rate]
        places = [(n, name) for n in chosen for name, text in train[n].fields.items() if text]
        texts = [train[n].fields[name] for n, name in places]
        for translator in (self._out, self._home):
            texts = translator.translated(texts, seed=int(random.integers(2**31)))
        made = list(train)
        for (n, name), text in zip(places, texts, strict=True):
            made[n] = replace(made[n], fields={**made[n].fields, name: text or made[n].fields[name]})
        return made

    def space(self) -> Space:
        """How many, and how freely."""
        return {"rate": Range(0.0, 1.0), "temperature": Range(0.3, 1.2)}
