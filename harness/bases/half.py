"""Frozen weights in 16 bits."""

import torch
from torch import nn

from harness.bases.anatomy import stacks


def halve_frozen(model: nn.Module) -> None:
    """Keep what is frozen of the blocks' linear layers in bf16, which takes half the memory.

    Under autocast in bf16 a linear layer computes with its weights so rounded anyway: nothing else changes, but for a
    method that multiplies the weights themselves (HiRA). Norms, embeddings and heads stay as they are, and so does what
    is trained or quantized.
    """
    for _, blocks in stacks(model):
        for module in (part for block in blocks for part in block.modules()):
            if isinstance(module, nn.Linear) and module.weight.dtype == torch.float32:
                for parameter in module.parameters(recurse=False):
                    if not parameter.requires_grad:
                        parameter.data = parameter.data.to(torch.bfloat16)
