"""The likeliest word at a mask, against a plain forward pass."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken

from harness.core.errors import SpecError
from harness.data.tasks import find_task
from harness.formulations._mask import BoundMask
from harness.runs.predict import predict
from harness.task import Example, Task
from tests.architectures import save_architecture
from tests.conftest import MakeSpec
from tests.formulations.test_tagging import byte_level
from tests.ready import ready

TEXTS = ["the film is superb", "[MASK] a dull [MASK] plot", "[MASK]"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_architecture("bert", tmp_path_factory.mktemp("bert"))


def mask(make_spec: MakeSpec, bert: Path, task: Task) -> BoundMask:
    made = ready(make_spec("zero_shot", base={"name": str(bert)}), task).formulation
    assert isinstance(made, BoundMask)
    return made


def test_masks_of_the_text_are_not_the_prompts(make_spec: MakeSpec, bert: Path) -> None:
    task = find_task("sst2")
    found = mask(make_spec, bert, task)
    rows = found.encode([Example(str(n), {"sentence": text}, 0) for n, text in enumerate(TEXTS)])
    model: Any = found.base.model.eval()
    words = [found.tokenizer.convert_tokens_to_ids(word.strip()) for word in task.verbalizers]
    for row, answer in zip(rows, predict(model, found, rows), strict=True):
        ids = list(row.sequences[0])
        last = max(place for place, token in enumerate(ids) if token == found.tokenizer.mask_token_id)
        assert ids[last + 1 :] == found.tokenizer(".")["input_ids"][1:]
        with torch.no_grad():
            log_probs = model(input_ids=torch.tensor([ids])).logits[0, last].log_softmax(-1)
        assert answer.scores == pytest.approx(log_probs[words].tolist(), abs=1e-4)


def test_a_word_unknown_to_the_base_is_an_error(make_spec: MakeSpec, bert: Path) -> None:
    with pytest.raises(SpecError, match="verbalizer 'zebra' of sst2 is no word"):
        mask(make_spec, bert, find_task("sst2").model_copy(update={"verbalizers": (" good", " zebra")}))


def test_the_word_is_the_token_that_would_stand_at_the_mask(make_spec: MakeSpec, bert: Path) -> None:
    """RoBERTa's mask takes the blank before it, and so does the word in its place; a mask without the blank doesn't."""
    found = mask(make_spec, bert, find_task("sst2"))
    found.base.tokenizer = byte_level()
    alone, after_blank = (found.tokenizer(text)["input_ids"][0] for text in ("York", " York"))
    assert alone != after_blank
    assert found._first_token("York") == alone
    found.tokenizer.add_special_tokens({"mask_token": AddedToken("<mask>", lstrip=True, special=True)})
    assert found._first_token("York") == after_blank
