"""What is asked of transformers beyond its public names; here and nowhere else."""

from typing import Any


def attention_of(config: Any) -> str:
    """The attention kernel of a configuration, such as ``sdpa`` or ``eager``; a path is code from the hub."""
    return str(config._attn_implementation)


def whole_modules(model: Any) -> set[str]:
    """Names of modules that overflow in low precision, such as T5's ``wo``, and so are never quantized."""
    return {*(model._keep_in_fp32_modules or ()), *(model._keep_in_fp32_modules_strict or ())}
