"""Tiny random models of each kind, built from configurations: no download, no tokenizer."""

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 96
HIDDEN = 32
BLOCKS = 3
LABELS = 3


def encoder() -> PreTrainedModel:
    """BERT with a classification head."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=64,
        num_labels=LABELS,
    )
    return _seeded(BertForSequenceClassification, config)


def decoder() -> PreTrainedModel:
    """Llama as a language model."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    return _seeded(LlamaForCausalLM, config)


def encoder_decoder() -> PreTrainedModel:
    """T5 as a language model."""
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=HIDDEN,
        d_kv=8,
        d_ff=2 * HIDDEN,
        num_layers=BLOCKS,
        num_heads=4,
        pad_token_id=0,
        decoder_start_token_id=0,
        eos_token_id=1,
    )
    return _seeded(T5ForConditionalGeneration, config)


MODELS = {"encoder": encoder, "decoder": decoder, "encoder_decoder": encoder_decoder}


def _seeded(cls: type[PreTrainedModel], config: object) -> PreTrainedModel:
    torch.manual_seed(0)
    return cls(config)
