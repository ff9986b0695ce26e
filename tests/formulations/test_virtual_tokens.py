"""Answers under methods that put trained virtual tokens before the input, against plain forward passes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from harness.core.errors import Unsupported
from harness.data.tasks import find_task
from harness.formulation import IGNORED
from harness.libraries.peft_prompts import SoftPrompt
from harness.method import METHODS
from harness.runs.adapted import Adapted
from harness.runs.predict import predict
from harness.runs.resolve import resolve
from harness.task import Example, Task
from tests.conftest import MakeSpec
from tests.ready import ready

N_VIRTUAL = 8
SENTENCES = ["the film is superb", "a dull plot", "one great cast with the film and a plot", "awful"]
EXAMPLES = [Example(str(n), {"sentence": text}, n % 2) for n, text in enumerate(SENTENCES)]


@pytest.fixture(params=["p_tuning", "prompt_tuning"])
def prompted(request: pytest.FixtureRequest) -> str:
    """A method with virtual tokens that are embeddings."""
    assert issubclass(METHODS.find(request.param), SoftPrompt)
    return str(request.param)


def test_every_method_with_virtual_tokens_is_here() -> None:
    with_tokens = {name for name in METHODS.names() if METHODS.make(name).virtual_tokens()}
    assert with_tokens == {"mam", "p_tuning", "prefix", "prompt_tuning"}, "mam, prefix: tests/methods/test_prefix.py"


def adapted(make_spec: MakeSpec, method: str, kind: str, task: Task, formulation: str) -> Adapted:
    sections = {
        "method": {"n_virtual_tokens": N_VIRTUAL},
        "evaluation": {"max_new_tokens": 6},
        "training": {"precision": "fp32"},
    }
    made = ready(make_spec(method, kind, **sections), task, formulation, steps=4)
    made.model.eval()
    return made


@torch.no_grad()
def states(made: Adapted, ids: list[int], read: str = "logits") -> Tensor:
    """What the base gives for the virtual tokens and one whole sequence: shape (virtual + T, …)."""
    model, base = made.model, made.base.model
    virtual = model.get_prompt(1)  # type: ignore[operator]
    words = base.get_input_embeddings()(torch.tensor([ids]))  # type: ignore[operator]
    whole: Tensor = getattr(base(inputs_embeds=torch.cat([virtual, words], 1)), read)[0]
    assert len(whole) == N_VIRTUAL + len(ids)
    return whole


def test_likelihood(prompted: str, make_spec: MakeSpec) -> None:
    task = find_task("sst2").model_copy(update={"verbalizers": (" very awful film", " great")})
    made = adapted(make_spec, prompted, "decoder", task, "likelihood")
    formulation = made.formulation
    answers = predict(made.model, formulation, formulation.encode(EXAMPLES))
    right = []
    for example, answer in zip(EXAMPLES, answers, strict=True):
        prompt = formulation.tokenizer(formulation.prompts.prompt(example))["input_ids"]  # type: ignore[attr-defined]
        for label, (text, score) in enumerate(zip(task.verbalizers, answer.scores, strict=True)):
            choice = formulation.tokenizer(text)["input_ids"]
            log_probs = torch.log_softmax(states(made, prompt + choice), -1)
            first = N_VIRTUAL + len(prompt) - 1
            by_hand = [float(log_probs[first + n, token]) for n, token in enumerate(choice)]
            assert score == pytest.approx(sum(by_hand), abs=1e-4)
            if label == example.target:
                right.append(-sum(by_hand) / len(by_hand))
    batch = formulation.collate(formulation.encode_training(EXAMPLES), torch.device("cpu"))
    assert formulation.losses(made.model, batch).mean().item() == pytest.approx(sum(right) / len(right), abs=1e-5)


def test_likelihood_of_an_encoder_decoder(prompted: str, make_spec: MakeSpec) -> None:
    """The encoder reads the virtual tokens first; the decoder reads none."""
    task = find_task("sst2").model_copy(update={"verbalizers": (" very awful film", " great")})
    made = adapted(make_spec, prompted, "encoder_decoder", task, "likelihood")
    formulation, base = made.formulation, made.base.model
    for example, answer in zip(EXAMPLES, predict(made.model, formulation, formulation.encode(EXAMPLES)), strict=True):
        prompt = formulation.tokenizer(formulation.prompts.prompt(example))["input_ids"]  # type: ignore[attr-defined]
        for text, score in zip(task.verbalizers, answer.scores, strict=True):
            choice = formulation.tokenizer(text)["input_ids"]
            with torch.no_grad():
                virtual = made.model.get_prompt(1)  # type: ignore[operator]
                words = base.get_input_embeddings()(torch.tensor([prompt]))  # type: ignore[operator]
                given = torch.tensor([[base.config.decoder_start_token_id, *choice[:-1]]])
                logits = base(inputs_embeds=torch.cat([virtual, words], 1), decoder_input_ids=given).logits[0]
            log_probs = torch.log_softmax(logits, -1)
            assert score == pytest.approx(sum(float(log_probs[n, t]) for n, t in enumerate(choice)), abs=1e-4)


@pytest.mark.filterwarnings("ignore:Position ids are not supported")
def test_generation(prompted: str, make_spec: MakeSpec) -> None:
    task = find_task("sst2").model_copy(update={"kind": "generation", "labels": (), "stop": ()})
    made = adapted(make_spec, prompted, "decoder", task, "generation")
    rows = made.formulation.encode([replace(example, target="good") for example in EXAMPLES])
    together = predict(made.model, made.formulation, rows)
    for row, answer in zip(rows, together, strict=True):
        ids, end = list(row.sequences[0]), made.formulation.tokenizer.eos_token_id
        for _ in range(6):
            ids.append(int(states(made, ids)[-1].argmax()))
            if ids[-1] == end:
                break
        assert answer.text == made.formulation.tokenizer.decode(ids[row.length :], skip_special_tokens=True)


def test_tagging(prompted: str, make_spec: MakeSpec) -> None:
    made = adapted(make_spec, prompted, "encoder", find_task("wnut17"), "token_head")
    words = tuple(tuple(text.split()) for text in SENTENCES)
    rows = made.formulation.encode([Example(str(n), {}, (0,) * len(w), tokens=w) for n, w in enumerate(words)])
    for row, answer in zip(rows, predict(made.model, made.formulation, rows), strict=True):
        best = states(made, row.sequences[0])[N_VIRTUAL:].argmax(-1).tolist()
        firsts = [label for label, target in zip(best, row.targets, strict=True) if target != IGNORED]
        assert answer.prediction == tuple(firsts)


def test_similarity(prompted: str, make_spec: MakeSpec) -> None:
    made = adapted(make_spec, prompted, "encoder", find_task("stsb"), "similarity")
    pair = Example("0", {"sentence1": SENTENCES[0], "sentence2": SENTENCES[2]}, 2.0)
    rows = made.formulation.encode([pair])
    first, second = (states(made, ids, "last_hidden_state")[N_VIRTUAL:].mean(0) for ids in rows[0].sequences)
    cosine = torch.cosine_similarity(first, second, dim=0)
    low, high = made.formulation.task.value_range
    (answer,) = predict(made.model, made.formulation, rows)
    assert answer.prediction == pytest.approx(low + float(cosine) * (high - low), abs=1e-4)


def test_a_head_on_a_decoders_last_token_is_refused(prompted: str, make_spec: MakeSpec) -> None:
    run = resolve(make_spec(prompted, "decoder", formulation="head"))
    assert "virtual tokens" in (run.skip_reason() or "")
    made = adapted(make_spec, prompted, "decoder", find_task("sst2"), "head")
    with pytest.raises(Unsupported, match="virtual tokens"):
        predict(made.model, made.formulation, made.formulation.encode(EXAMPLES))
