"""The head of a base: the modules that are made for the task, drawn from the seed, and trained by every method."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

_PRETRAINING = ("Model", "ForMaskedLM", "ForPreTraining", "ForCausalLM", "ForConditionalGeneration")
"""Ends of the classes whose checkpoints hold nothing that was trained for another task; LMHeadModel is one too."""
_PEFT_COPY = re.compile(r"\bmodules_to_save\.[^.]+\.")
"""What peft puts into the names of the modules that it trains as copies."""


def find_heads(model: nn.Module, architecture: str, new: Iterable[str]) -> tuple[str, ...]:
    """Dotted names of the modules that hold a head's parameters, sorted.

    They are what the checkpoint lacks, poolers that it never trained, and, where it was trained for another task, all
    that lies outside the base model: a head that happens to fit is still another task's.

    Args:
        model: A model with a head.
        architecture: The class that the checkpoint was saved from, as its configuration has it; may be empty.
        new: Names of the parameters that the checkpoint lacks, or has in another shape.
    """
    heads = {name.rpartition(".")[0] for name in new} | _untrained_poolers(model)
    if not architecture.endswith(_PRETRAINING):
        heads |= _outside_base(model)
    return tuple(sorted(heads))


def lost_parameters(model: nn.Module, new: Iterable[str], has_head: bool) -> list[str]:
    """Of what the checkpoint lacks, that which can't start at random, sorted: all but poolers and a head.

    Args:
        model: The model as it was loaded.
        new: Names of the parameters that the checkpoint lacks, or has in another shape.
        has_head: Whether what lies outside the base model is a head for the task.
    """
    outside = _outside_base(model) if has_head else set()
    return sorted(name for name in new if name.rpartition(".")[0] not in outside and "pooler" not in name.split("."))


def _outside_base(model: nn.Module) -> set[str]:
    base: Any = model.base_model
    inside = {id(parameter) for parameter in base.parameters()}
    outside = {name for name, parameter in model.named_parameters() if id(parameter) not in inside}
    return {name.rpartition(".")[0] for name in outside}


def _untrained_poolers(model: nn.Module) -> set[str]:
    """Linear layers named pooler whose bias is still the zero of their initialization.

    Sentence encoders average the tokens and carry a pooler that nothing has trained; frozen, it would hand every method
    a random projection of the first token.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    poolers = {name: module for name, module in linear.items() if "pooler" in name.split(".")}
    return {name for name, module in poolers.items() if module.bias is not None and not module.bias.any()}


def is_of_head(parameter: str, head_names: Sequence[str]) -> bool:
    """Whether a parameter of an adapted model belongs to a head, whatever the method has wrapped around either."""
    name = f".{_PEFT_COPY.sub('', parameter)}"
    return any(f".{head}." in name for head in head_names)


def train_heads_only(model: nn.Module, head_names: Sequence[str]) -> None:
    """Freeze everything but the modules made for the task."""
    model.requires_grad_(False)
    for name in head_names:
        model.get_submodule(name).requires_grad_(True)


def reset_heads(model: nn.Module, head_names: Sequence[str], seed: int) -> None:
    """Draw the heads from ``seed`` alone, so that they don't depend on the checkpoint or on how it was loaded.

    Matrices from N(0, initializer_range), weights of norms one, biases zero, as transformers initializes them.
    """
    generator = torch.Generator().manual_seed(seed)
    std = getattr(model.config, "initializer_range", 0.02)
    for name in head_names:
        for key, parameter in model.get_submodule(name).named_parameters(recurse=False):
            with torch.no_grad():
                parameter.copy_(_initial(key, parameter.shape, std, generator))


def _initial(key: str, shape: torch.Size, std: float, generator: torch.Generator) -> torch.Tensor:
    if key == "bias":
        return torch.zeros(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    return torch.zeros(shape).normal_(0.0, std, generator=generator)
