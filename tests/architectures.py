"""Tiny random bases of many architectures as snapshot folders, with the tokenizers of ``harness.testing.snapshots``."""

from pathlib import Path
from typing import Any

import torch
import transformers

from harness.method import BaseKind
from harness.testing.snapshots import WORDS, tokenizer

SIZE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
ENCODER = {"vocab_size": len(WORDS), "max_position_embeddings": 64, "pad_token_id": 0, **SIZE}
DECODER = {**ENCODER, "bos_token_id": None, "eos_token_id": 5, "num_key_value_heads": 2}
SEQ2SEQ = {"vocab_size": len(WORDS), "d_model": 32, "pad_token_id": 0, "eos_token_id": 5, "decoder_start_token_id": 0}

ARCHITECTURES: dict[str, tuple[BaseKind, str, str, dict[str, Any]]] = {
    "bert": ("encoder", "BertForMaskedLM", "BertConfig", ENCODER),
    "bert_cls2": ("encoder", "BertForSequenceClassification", "BertConfig", {**ENCODER, "num_labels": 2}),
    "bert_cls3": ("encoder", "BertForSequenceClassification", "BertConfig", {**ENCODER, "num_labels": 3}),
    "roberta": ("encoder", "RobertaForMaskedLM", "RobertaConfig", {**ENCODER, "pad_token_id": 1}),
    "roberta_cls2": ("encoder", "RobertaForSequenceClassification", "RobertaConfig", {**ENCODER, "pad_token_id": 1}),
    "distilbert": (
        "encoder",
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        {"vocab_size": len(WORDS), "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "num_labels": 3},
    ),
    "deberta": (
        "encoder",
        "DebertaV2ForMaskedLM",
        "DebertaV2Config",
        {**ENCODER, "relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm"}
        | {"share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0},
    ),
    "mpnet": ("encoder", "MPNetForMaskedLM", "MPNetConfig", {**ENCODER, "pad_token_id": 1}),
    "albert": ("encoder", "AlbertForMaskedLM", "AlbertConfig", {**ENCODER, "embedding_size": 16}),
    "electra": ("encoder", "ElectraForPreTraining", "ElectraConfig", {**ENCODER, "embedding_size": 16}),
    "modernbert_body": (
        "encoder",
        "ModernBertModel",
        "ModernBertConfig",
        {**ENCODER, "local_attention": 16, "global_attn_every_n_layers": 2}
        | {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    ),
    "llama": ("decoder", "LlamaForCausalLM", "LlamaConfig", DECODER),
    "gpt2": (
        "decoder",
        "GPT2LMHeadModel",
        "GPT2Config",
        {"vocab_size": len(WORDS), "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
        | {"bos_token_id": 5, "eos_token_id": 5},
    ),
    "gemma2": ("decoder", "Gemma2ForCausalLM", "Gemma2Config", {**DECODER, "head_dim": 8, "sliding_window": 16}),
    "t5": (
        "encoder_decoder",
        "T5ForConditionalGeneration",
        "T5Config",
        {**SEQ2SEQ, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4},
    ),
    "bart": (
        "encoder_decoder",
        "BartForConditionalGeneration",
        "BartConfig",
        {**SEQ2SEQ, "encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4}
        | {"decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64}
        | {"bos_token_id": 2, "forced_eos_token_id": None},
    ),
}
"""Name → kind, class of the checkpoint, class and values of its configuration."""


def save_architecture(name: str, folder: Path) -> Path:
    """A snapshot whose weights, norms and biases too, are random."""
    kind, model_class, config_class, values = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = getattr(transformers, model_class)(getattr(transformers, config_class)(**values))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.08)
    model.save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return folder
