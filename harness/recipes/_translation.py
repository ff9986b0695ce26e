"""Translation by a local encoder-decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.spec import BaseSpec

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from harness.bases.load import Base

BATCH_SIZE = 32


@dataclass(frozen=True)
class Translator:
    """A base that writes a text in another language after a prompt."""

    base: "Base"
    prompt: str
    settings: "GenerationConfig"

    @classmethod
    def load(cls, name: str, prompt: str, temperature: float, max_new_tokens: int) -> "Translator":
        """The base, and how it is sampled: from the whole distribution, none of the checkpoint's own settings."""
        from transformers import GenerationConfig

        from harness.bases.load import Wanted, load

        base = load(BaseSpec(name=name), Wanted("AutoModelForSeq2SeqLM"))
        own: Any = base.model.generation_config
        settings = GenerationConfig(
            do_sample=True,
            temperature=temperature,
            top_k=0,
            max_new_tokens=max_new_tokens,
            eos_token_id=own.eos_token_id if own.eos_token_id is not None else base.tokenizer.eos_token_id,
            pad_token_id=base.tokenizer.pad_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
            forced_bos_token_id=own.forced_bos_token_id,
        )
        return cls(base, prompt, settings)

    def translated(self, texts: Sequence[str], seed: int) -> list[str]:
        """The texts translated, each stripped; drawn from the seed alone. A long text loses its end."""
        import torch

        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        made = [""] * len(texts)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            for start in range(0, len(order), BATCH_SIZE):
                part = order[start : start + BATCH_SIZE]
                for n, text in zip(part, self._batch([self.prompt + texts[n] for n in part]), strict=True):
                    made[n] = text
        return made

    def _batch(self, texts: list[str]) -> list[str]:
        model: Any = self.base.model
        tokenizer = self.base.tokenizer
        inputs = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, return_token_type_ids=False)
        ids = model.generate(**inputs.to(model.device), generation_config=self.settings)
        return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
