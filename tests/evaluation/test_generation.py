"""Generated answers: batched or alone, cut at stop texts, learned."""

from dataclasses import replace

import pytest
import torch

from harness import identity, registry
from harness.adapted import adapt, load_base
from harness.evaluation.generation import Generation
from harness.evaluation.predict import predict
from harness.task import Example
from tests import real
from tests.conftest import MakeSpec

TEXTS = ["the film", "a very dull plot and one cast with a film", "great !", "is the cast good"]


def generation(make_spec: MakeSpec, kind: str, **evaluation: int) -> Generation:
    spec = identity.resolve(make_spec("zero_shot", kind, evaluation={"max_new_tokens": 8, **evaluation}))
    spec = spec.model_copy(update={"formulation": "generation"})
    task = replace(registry.task("sst2"), kind="generation", labels=(), stop=("!",))
    method = registry.make_method(spec.method)
    made = adapt(spec, task, method, load_base(spec, task, method), 0).formulation
    assert isinstance(made, Generation)
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
    spec = identity.resolve(spec.updated(evaluation={"max_new_tokens": 24, "n_beams": n_beams}))
    task, method = registry.task("multi30k_en_de"), registry.make_method(spec.method)
    formulation = adapt(spec, task, method, load_base(spec, task, method), 0).formulation
    assert isinstance(formulation, Generation)
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
    formulation.task = replace(formulation.task, stop=stop)
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
    assert formulation.loss(formulation.base.model, formulation.collate([row], torch.device("cpu"))) > 0


def test_encoder_has_no_generation(make_spec: MakeSpec) -> None:
    spec = identity.resolve(make_spec("zero_shot", "encoder", task={"name": "multi30k_en_de"}))
    assert "no language-model head" in (identity.skip_reason(spec) or "")
