"""Tiny random bases as snapshot folders (configuration, tokenizer, safetensors), and a task that they can learn."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from harness.core.spec import RunSpec, parse_spec
from harness.method import METHODS, BaseKind
from harness.runs.resolve import resolve
from harness.testing import tiny

GOOD = ("good", "great", "fine", "superb")
BAD = ("bad", "awful", "poor", "dull")
FILLER = ("the", "film", "is", "a", "very", "plot", "and", "cast", "with", "one")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "</s>")
PROMPT = ("negative", "positive", "Review", "Sentiment", ":", "!", "in", "of")
WORDS = (*SPECIAL, *GOOD, *BAD, *FILLER, *PROMPT, *"0123456789")


def save_snapshot(kind: BaseKind, folder: Path, has_mask_head: bool = False) -> Path:
    """A base of a kind with a word-level tokenizer that knows WORDS; ``has_mask_head``: an encoder fills in masks."""
    model = tiny.masked() if has_mask_head and kind == "encoder" else tiny.MODELS[kind]()
    (model.base_model if kind == "encoder" and not has_mask_head else model).save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return folder


def tokenizer(kind: BaseKind) -> PreTrainedTokenizerFast:
    """[CLS] … [SEP] for encoders, … </s> for encoder-decoders, nothing added for decoders."""
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = {"encoder": "[CLS] $A [SEP]", "encoder_decoder": "$A </s>", "decoder": "$A"}[kind]
    pair = {"pair": "[CLS] $A [SEP] $B:1 [SEP]:1"} if kind == "encoder" else {}
    special = [(word, WORDS.index(word)) for word in ("[CLS]", "[SEP]", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single=ends, special_tokens=special, **pair)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        eos_token="</s>",
        model_max_length=64,
    )


def save_data(folder: Path, n_train: int = 96, n_test: int = 48) -> Path:
    """Train and validation in SST-2's hub columns: every sentence has one word that gives its label away."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(0)
    seen: set[str] = set()
    for split, size in (("train", n_train), ("validation", n_test)):
        rows: list[dict[str, object]] = []
        while len(rows) < size:
            label = len(rows) % 2
            words = generator.choices(FILLER, k=generator.randint(3, 9))
            words.insert(generator.randrange(len(words) + 1), generator.choice((BAD, GOOD)[label]))
            sentence = " ".join(words)
            if sentence not in seen:
                seen.add(sentence)
                rows.append({"sentence": sentence, "label": label, "idx": len(rows)})
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
    return folder


def tiny_spec(folder: Path, **sections: Any) -> RunSpec:
    """A run of a second on a tiny encoder, with the first method that trains and can do it.

    Args:
        folder: Where the base and the data are made.
        sections: Of the spec, beside base, task, method and training.
    """
    data = save_data(folder / "data") / "train.parquet"
    tiny = {
        "base": {"name": str(save_snapshot("encoder", folder / "base"))},
        "task": {"name": f"{data}?text=sentence&target=label"},
        "training": {"epochs": 2, "batch_size": 16},
    }
    names = [name for name in METHODS.names() if METHODS.find(name).trains]
    specs = (parse_spec(tiny | {"method": {"name": name}} | sections) for name in names)
    return next(spec for spec in specs if not resolve(spec).skip_reason())
