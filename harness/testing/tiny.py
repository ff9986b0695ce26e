"""Tiny random models of each kind, built from configurations: no download, no tokenizer."""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.bases.load import keep_packing
from harness.bases.shapes import linear_shapes
from harness.core.spec import Quantization
from harness.method import BaseInfo, BaseKind, Context, TaskInfo

VOCABULARY = 96
HIDDEN = 32
BLOCKS = 3
LABELS = 3
HEADS: dict[BaseKind, tuple[str, ...]] = {"encoder": ("classifier",), "decoder": (), "encoder_decoder": ()}


def encoder() -> PreTrainedModel:
    """BERT with a classification head."""
    return _seeded(BertForSequenceClassification, _bert())


def masked() -> PreTrainedModel:
    """BERT that fills in masks."""
    return _seeded(BertForMaskedLM, _bert())


def _bert() -> BertConfig:
    return BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=64,
        num_labels=LABELS,
    )


def _llama() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=64,
        pad_token_id=0,
    )


def decoder() -> PreTrainedModel:
    """Llama as a language model."""
    return _seeded(LlamaForCausalLM, _llama())


def _t5() -> T5Config:
    return T5Config(
        vocab_size=VOCABULARY,
        d_model=HIDDEN,
        d_kv=8,
        d_ff=2 * HIDDEN,
        num_layers=BLOCKS,
        num_heads=4,
        pad_token_id=0,
        decoder_start_token_id=0,
        eos_token_id=5,  # </s> of harness.testing.snapshots
    )


def encoder_decoder() -> PreTrainedModel:
    """T5 as a language model."""
    return _seeded(T5ForConditionalGeneration, _t5())


_CONFIGS = {"encoder": _bert, "decoder": _llama, "encoder_decoder": _t5}
MODELS = {"encoder": encoder, "decoder": decoder, "encoder_decoder": encoder_decoder}


def _seeded(cls: type[PreTrainedModel], config: object) -> PreTrainedModel:
    torch.manual_seed(0)
    model = cls(config).eval()
    for name, parameter in model.named_parameters():
        # Zero at first, unlike those of a pretrained model; a pooler's that is zero was never trained.
        if name.endswith("bias") and ".pooler." not in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def load(kind: BaseKind, quantization: Quantization = "none", unquantized: Sequence[str] = ()) -> PreTrainedModel:
    """A fresh model of a kind, always with the same weights; ``unquantized`` names modules kept in full precision."""
    model = MODELS[kind]()
    if quantization == "none":
        return model
    config = BitsAndBytesConfig(
        load_in_8bit=quantization == "8bit",
        load_in_4bit=quantization == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=[*HEADS[kind], "lm_head", *unquantized],
    )
    quantized: PreTrainedModel = type(model).from_pretrained(
        _saved(kind), quantization_config=config, dtype=torch.float32
    )
    keep_packing(quantized)
    return quantized


@cache
def _saved(kind: BaseKind) -> Path:
    folder = Path(tempfile.mkdtemp())
    MODELS[kind]().save_pretrained(folder)
    return folder


def base_info(kind: BaseKind, quantization: Quantization = "none") -> BaseInfo:
    """What the harness would say of the model."""
    return BaseInfo(
        kind,
        quantization,
        "tiny",
        BLOCKS,
        HIDDEN,
        has_mask_head=False,
        is_sentence_embedding=False,
        linears=linear_shapes(_CONFIGS[kind]().to_dict()),
        has_biases=kind == "encoder",
    )


def task_info(kind: BaseKind) -> TaskInfo:
    """A classification task, answered the usual way."""
    is_encoder = kind == "encoder"
    return TaskInfo("classification", "head" if is_encoder else "likelihood", LABELS, has_head=is_encoder)


def context(kind: BaseKind, quantization: Quantization = "none", total_steps: int = 10) -> Context:
    """What ``apply`` gets."""
    return Context(base_info(kind, quantization), task_info(kind), HEADS[kind], total_steps, seed=0)


def batch(kind: BaseKind) -> dict[str, Tensor]:
    """Inputs of four examples, the last one padded."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(2, VOCABULARY, (4, 12), generator=generator)
    mask = torch.ones_like(input_ids)
    mask[-1, 8:] = 0
    inputs = {"input_ids": input_ids * mask, "attention_mask": mask}
    if kind == "encoder_decoder":
        inputs["decoder_input_ids"] = torch.randint(2, VOCABULARY, (4, 5), generator=generator)
    return inputs


def loss(kind: BaseKind, logits: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of arbitrary labels (encoder) or of the next tokens (language models)."""
    if kind == "encoder":
        return torch.nn.functional.cross_entropy(logits, torch.arange(len(logits)) % LABELS)
    ids = inputs["decoder_input_ids" if kind == "encoder_decoder" else "input_ids"]
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
