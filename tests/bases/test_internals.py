"""What the harness asks of transformers beyond its public names still means what it is asked for."""

import transformers

from harness.bases.internals import attention_of, whole_modules
from harness.testing import tiny


def test_the_attention_kernel_is_the_one_that_was_set() -> None:
    model = tiny.encoder()
    model.set_attn_implementation("eager")
    assert attention_of(model.config) == "eager"
    model.set_attn_implementation("sdpa")
    assert attention_of(model.config) == "sdpa"


def test_modules_that_overflow_are_named() -> None:
    assert "wo" in whole_modules(transformers.T5ForConditionalGeneration)
    assert whole_modules(tiny.encoder()) == set()
