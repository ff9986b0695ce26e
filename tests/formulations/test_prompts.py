"""Prompts in a base's own chat format."""

import signal

import pytest
from tokenizers import processors

from harness.core.errors import SpecError
from harness.core.spec import PromptSpec
from harness.data.tasks import find_task
from harness.formulations._prompts import Prompts
from harness.task import Example
from harness.testing.snapshots import WORDS, tokenizer

CHAT = (
    "[CLS]{% for m in messages %} {{ m.role }} : {{ m.content }} [SEP]{% endfor %}"
    "{% if add_generation_prompt %} assistant :{% endif %}"
)


def test_chat_has_shots_as_turns_and_one_beginning() -> None:
    asked = tokenizer("decoder")
    asked.bos_token, asked.chat_template = "[CLS]", CHAT
    prompts = Prompts(find_task("sst2"), PromptSpec(format="chat"), asked)
    prompts.shots = [Example("0", {"sentence": "awful"}, 0)]
    text = prompts.prompt(Example("1", {"sentence": "great"}, 1))
    assert text == (
        "[CLS] user : Review: awful\nSentiment: [SEP] assistant : negative [SEP]"
        " user : Review: great\nSentiment: [SEP] assistant :"
    )
    assert prompts.choices(Example("1", {}, 0)) == ("negative", "positive")

    begins = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", WORDS.index("[CLS]"))])
    asked.backend_tokenizer.post_processor = begins
    ids = asked(prompts.prompt(Example("1", {"sentence": "great"}, 1)))["input_ids"]
    assert ids.count(asked.bos_token_id) == 1
    assert ids[0] == asked.bos_token_id


def test_a_chat_template_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox of templates limits each loop, not loops in loops; a timer that was set before goes on."""
    endless = tokenizer("decoder")
    endless.chat_template = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    prompts = Prompts(find_task("sst2"), PromptSpec(format="chat"), endless)
    monkeypatch.setattr("harness.formulations._prompts.TEMPLATE_SECONDS", 0.1)
    before = signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        with pytest.raises(SpecError, match="use 'plain'"):
            prompts.prompt(Example("1", {"sentence": "great"}, 1))
        assert 500 < signal.getitimer(signal.ITIMER_REAL)[0] <= 600
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
