"""Generated answers: batched or alone, cut at stop texts, learned."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from harness.core.spec import RunSpec
from harness.data.tasks import find_task
from harness.formulation import Answer
from harness.formulations._generation import BoundGeneration
from harness.runs.predict import Judged, predict
from harness.runs.resolve import resolve
from harness.task import Example
from tests import real
from tests.architectures import save_architecture
from tests.conftest import MakeSpec
from tests.ready import ready

TEXTS = ["the film", "a very dull plot and one cast with a film", "great !", "is the cast good"]


def generation(make_spec: MakeSpec, kind: str, **evaluation: int) -> BoundGeneration:
    spec = make_spec("zero_shot", kind, evaluation={"max_new_tokens": 8, **evaluation})
    task = find_task("sst2").model_copy(update={"kind": "generation", "labels": (), "stop": ("!",)})
    made = ready(spec, task, "generation").formulation
    assert isinstance(made, BoundGeneration)
    return made


def examples() -> list[Example]:
    return [Example(str(n), {"sentence": text}, "good film") for n, text in enumerate(TEXTS)]


@pytest.mark.parametrize("n_beams", [1, 3])
@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_batched_equals_one_by_one(kind: str, n_beams: int, make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, kind, n_beams=n_beams)
    rows = formulation.encode(examples())
    model = formulation.base.model
    together = predict(model, formulation, rows)
    alone = [predict(model, formulation, [row])[0] for row in rows]
    assert together == alone
    assert any(answer.text for answer in together)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bases that differ in what padding does to them: learned positions, a sliding window."""
    root = tmp_path_factory.mktemp("families")
    return {name: save_architecture(name, root / name) for name in ("bart", "t5", "gemma2", "gpt2")}


def drawn(spec: RunSpec) -> tuple[nn.Module, BoundGeneration]:
    """A model whose trained part is not as it starts, and how it generates."""
    task = find_task("sst2").model_copy(update={"kind": "generation", "labels": (), "stop": ("!",)})
    made = ready(spec, task, "generation", steps=4)
    assert isinstance(made.formulation, BoundGeneration)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.3)
        made.base.model.get_input_embeddings().weight.mul_(5)  # type: ignore[operator]
    return made.model.eval(), made.formulation


@torch.no_grad()
def greedy(model: nn.Module, formulation: BoundGeneration, prompt: list[int], n_tokens: int) -> list[int]:
    """The likeliest tokens, each from a whole forward pass over one sequence."""
    end, seq2seq = formulation.tokenizer.eos_token_id, formulation.base.info.kind == "encoder_decoder"
    config: Any = formulation.base.model.config
    ids = [config.decoder_start_token_id] if seq2seq else list(prompt)
    start = len(ids)
    while len(ids) < start + n_tokens and ids[-1] != end:
        read = {"decoder_input_ids": torch.tensor([ids])} if seq2seq else {}
        given = torch.tensor([prompt if seq2seq else ids])
        logits = model(input_ids=given, attention_mask=torch.ones_like(given), **read).logits
        ids.append(int(logits[0, -1].argmax()))
    return ids[start:]


@pytest.mark.parametrize("name", ["zero_shot", "lora", "prefix"])
@pytest.mark.parametrize("family", ["bart", "t5", "gemma2", "gpt2"])
def test_every_batch_size_gives_the_plain_greedy_text(
    family: str, name: str, families: dict[str, Path], make_spec: MakeSpec
) -> None:
    model, formulation = drawn(make_spec(name, base={"name": str(families[family])}, evaluation={"max_new_tokens": 6}))
    longer = [replace(example, fields={"sentence": f"{example.fields['sentence']} " * 4}) for example in examples()]
    rows = formulation.encode([*examples(), *longer])
    texts = [answer.text for answer in predict(model, formulation, rows)]
    plain = [greedy(model, formulation, row.sequences[0], 6) for row in rows]
    assert texts == formulation.tokenizer.batch_decode(plain, skip_special_tokens=True)
    moves = formulation.base.info.kind == "decoder" and name == "prefix"  # padding would stand between it and the text
    assert (formulation.max_padding(model) == 0) == moves
    formulation.spec = formulation.spec.updated(evaluation={"batch_size": 1})
    assert texts == [answer.text for answer in predict(model, formulation, rows)]


def test_a_checkpoint_s_settings_for_generation_change_nothing(families: dict[str, Path], make_spec: MakeSpec) -> None:
    spec = make_spec("zero_shot", base={"name": str(families["gpt2"])}, evaluation={"max_new_tokens": 8})
    model, formulation = drawn(spec)
    rows = formulation.encode(examples())
    plain = predict(model, formulation, rows)
    own: Any = formulation.base.model
    settings = {"no_repeat_ngram_size": 1, "repetition_penalty": 5.0, "min_new_tokens": 8, "num_beams": 4}
    own.generation_config.update(**settings, do_sample=True, temperature=9.0, suppress_tokens=list(range(6, 20)))
    assert predict(model, formulation, rows) == plain
    assert own.generation_config.num_beams == 4  # an export keeps them


def test_an_answer_is_compared_composed_and_as_written(make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, "decoder")
    assert formulation._read(" cafe\u0301 ! film", examples()[0]).prediction == "caf\u00e9"
    row = formulation.encode([replace(examples()[0], target="cafe\u0301 ")])[0]
    answer = Answer("caf\u00e9", text="")
    assert Judged("test", [row], [answer]).metrics(
        formulation.task.model_copy(update={"metrics": ("exact_match",)})
    ) == {"test/exact_match": 1}
    ids = formulation.tokenizer("good ! film")["input_ids"]
    formulation.tokenizer.clean_up_tokenization_spaces = True
    assert formulation._decode([ids]) == ["good ! film"]


CAPTIONS = [
    "A dog runs.",
    "Two men in blue shirts are standing on a ladder and cleaning the windows of a tall building.",
    "A girl in a red dress is holding an ice cream.",
    "People are waiting for a train while an old woman who carries two heavy bags walks slowly past them.",
    "Snow!",
]


@pytest.mark.slow
@pytest.mark.parametrize("n_beams", [1, 3])
def test_a_real_base_gives_the_same_tokens_batched_and_alone(n_beams: int, make_spec: MakeSpec) -> None:
    base = {"name": real.base("smollm2-135m")}
    spec = make_spec("zero_shot", base=base, task={"name": "multi30k_en_de", "path": None})
    formulation = ready(spec.updated(evaluation={"max_new_tokens": 24, "n_beams": n_beams})).formulation
    assert isinstance(formulation, BoundGeneration)
    model, device = formulation.base.model.eval(), torch.device("cpu")
    rows = formulation.encode([Example(str(n), {"en": text}, "") for n, text in enumerate(CAPTIONS)])
    with torch.no_grad():
        together = formulation.generate(model, formulation.collate(rows, device))
        alone = [formulation.generate(model, formulation.collate([row], device))[0] for row in rows]
    assert together == alone
    assert len({row.length for row in rows}) > 2
    assert len({len(tokens) for tokens in together}) > 1  # some end before others, and are padded


def test_cut_at_stop_text(make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, "decoder")
    assert formulation.cut(" fine ! film") == "fine "


@pytest.mark.parametrize(
    ("stop", "kept"), [(("\n",), "a"), (("\n\n",), "a\nb"), ((), "a\nb\n\nc"), (("b", "\n\n"), "a\n")]
)
def test_answers_of_several_lines(stop: tuple[str, ...], kept: str, make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, "decoder")
    formulation.task = formulation.task.model_copy(update={"stop": stop})
    assert formulation.cut(" a\nb\n\nc") == kept
    assert formulation._target_text(examples()[0]) == f" good film{stop[0] if stop else ''}</s>"


def test_prompt_and_answer_fit_into_the_context(make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, "decoder", max_new_tokens=50)
    long = Example("0", {"sentence": "film " * 100}, "good")
    row = formulation.encode([long])[0]
    assert formulation.n_new_tokens == 32
    assert (row.length, formulation.n_truncated) == (32, 1)
    assert predict(formulation.base.model, formulation, [row])[0].text


def test_training_target_follows_the_prompt(make_spec: MakeSpec) -> None:
    formulation = generation(make_spec, "decoder")
    row = formulation.encode_training(examples())[0]
    text = formulation.tokenizer.decode(row.spans[0].token_ids)
    assert text.startswith("good film !")
    assert formulation.losses(formulation.base.model, formulation.collate([row], torch.device("cpu"))).item() > 0


def test_encoder_has_no_generation(make_spec: MakeSpec) -> None:
    run = resolve(make_spec("zero_shot", "encoder", task={"name": "multi30k_en_de"}))
    assert "no language-model head" in (run.skip_reason() or "")
