"""Attributions, their faithfulness and the drift of states, against autograd, formulas and rules that read words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import Unsupported
from harness.probe import Subject
from harness.probes._attention import read_attentions, rolled_out
from harness.probes._attribution import ATTRIBUTIONS, _scored, integrated_gradients, occlusion
from harness.probes._states import device_of
from harness.probes.drift import cka
from harness.runs.export import predict_texts
from harness.runs.run import run
from harness.storage.explanations import kept
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured
from tests.probes.test_forgetting import scramble
from tests.probes.test_robustness import finds_good, of_rule


def scrambled_head(model: Any) -> None:
    """A head that tells texts apart, which a new one hardly does."""
    torch.manual_seed(0)
    with torch.no_grad():
        model.classifier.weight.normal_(0, 2)


@pytest.fixture
def subject(make_spec: MakeSpec) -> Subject:
    return examined(make_spec("last_layers"), scrambled_head)


def test_occlusion_finds_the_word_that_a_rule_reads(subject: Subject) -> None:
    of_words = of_rule(subject, finds_good)
    good = [one for one in subject.splits["test"] if one.target == 1][:5]
    for example in good:
        weights = occlusion(of_words, example, 1)
        for word, weight in zip(example.fields["sentence"].split(), weights, strict=True):
            is_read = word in ("good", "great", "fine", "superb")
            assert weight == pytest.approx((2 / (1 + np.exp(-2)) - 1) * is_read)


def test_faithfulness_of_a_rule_by_hand(subject: Subject) -> None:
    """A positive answer hangs on one word, whichever share is taken away; a negative one on none."""
    found = measured(of_rule(subject, finds_good), "faithfulness", n_examples=20)
    examples = {one.id: one for one in subject.splits["test"]}
    lost = 2 / (1 + np.exp(-2)) - 1
    for name, value in found["comprehensiveness"].examples.items():
        assert value == pytest.approx(lost if examples[name].target == 1 else 0)
    assert found["sufficiency"].value == pytest.approx(0)
    assert found["comprehensiveness_gain"].value > 0.1


def test_integrated_gradients_add_up(subject: Subject) -> None:
    """To the difference of log-probabilities between the text and padding in its words' place, for either label."""
    example, differences = subject.splits["test"][0], []
    for label in (0, 1):
        row, forward = _scored(subject, example, label)
        ids = torch.tensor([row.sequences[0]], device=device_of(subject.model))
        blank = ids.clone()
        blank[0, 1:-1] = subject.tokenizer.pad_token_id
        with torch.no_grad():
            differences.append((forward(ids) - forward(blank)).item())
        found = integrated_gradients(subject, example, label).sum()
        assert found == pytest.approx(differences[-1], abs=0.02 * abs(differences[-1]) + 1e-3)
    assert max(map(abs, differences)) > 0.005


def test_gradients_are_autograds(subject: Subject) -> None:
    example = subject.splits["test"][3]
    row, _ = _scored(subject, example, 0)
    ids = torch.tensor([row.sequences[0]])
    model: Any = subject.model
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_(True)
    log_probability = model(inputs_embeds=embedded, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)[0, 0]
    (gradient,) = torch.autograd.grad(log_probability, embedded)
    expected = (gradient * embedded).sum(-1)[0, 1:-1].tolist()  # one token a word, between the special ones
    assert ATTRIBUTIONS["gradient_x_input"](subject, example, 0) == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_gradients_pass_through_adapters(method: str, make_spec: MakeSpec) -> None:
    found = measured(examined(make_spec(method)), "faithfulness", n_examples=2, attribution="integrated_gradients")
    assert np.isfinite(found["comprehensiveness"].value)


def test_gradients_need_a_head(make_spec: MakeSpec) -> None:
    with pytest.raises(Unsupported, match="attribution occlusion"):
        measured(examined(make_spec("lora", "decoder")), "faithfulness", attribution="gradient_x_input")
    assert measured(examined(make_spec("lora", "decoder")), "faithfulness", n_examples=3)["sufficiency"]


def test_rollout_by_hand() -> None:
    """By hand: two blocks, two heads, two tokens, each head mean halved with the identity."""
    first = torch.tensor([[[1.0, 0.0], [0.3, 0.7]], [[0.6, 0.4], [0.5, 0.5]]])
    second = torch.tensor([[[0.5, 0.5], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]])
    # [[.75, .25], [0, 1]] @ [[.9, .1], [.2, .8]]
    expected = [[0.75 * 0.9 + 0.25 * 0.2, 0.75 * 0.1 + 0.25 * 0.8], [0.2, 0.8]]
    np.testing.assert_allclose(rolled_out([first, second]).numpy(), expected, rtol=1e-6)


def test_attentions_are_those_of_the_kernel_that_answers(subject: Subject) -> None:
    """Softmax of queries times keys by hand in the first block; the model is left with its own kernel."""
    model: Any = subject.model
    before = model.config._attn_implementation
    row, _ = _scored(subject, subject.splits["test"][0], 0)
    ids = torch.tensor([row.sequences[0]])
    found = read_attentions(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    assert model.config._attn_implementation == before
    assert len(found) == 3
    with torch.no_grad():
        states, layer = model.bert.embeddings(ids), model.bert.encoder.layer[0].attention.self
        n_heads, size = model.config.num_attention_heads, model.config.hidden_size // model.config.num_attention_heads
        query, key = (part(states)[0].view(-1, n_heads, size).transpose(0, 1) for part in (layer.query, layer.key))
        expected = (query @ key.transpose(1, 2) / size**0.5).softmax(-1)
    torch.testing.assert_close(found[0], expected)
    assert all(one.sum(-1).allclose(torch.ones(1)) for one in found)


def test_rollout_of_a_text_is_the_first_tokens_row(subject: Subject) -> None:
    """Its words and the two special tokens share all of it; answers are as before."""
    example = subject.splits["test"][0]
    before = subject.answer([example]).scores
    weights = ATTRIBUTIONS["attention_rollout"](subject, example, 0)
    assert len(weights) == len(example.fields["sentence"].split())
    assert all(weights > 0)
    assert 0.1 < weights.sum() < 1
    assert (ATTRIBUTIONS["attention_rollout"](subject, example, 1) == weights).all()
    np.testing.assert_array_equal(subject.answer([example]).scores, before)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "kind"), [("prefix", "encoder"), ("prompt_tuning", "encoder"), ("lora", "decoder")])
def test_where_attention_tells_no_words_there_is_a_reason(method: str, kind: str, make_spec: MakeSpec) -> None:
    with pytest.raises(Unsupported, match="attribution occlusion"):
        measured(examined(make_spec(method, kind)), "faithfulness", n_examples=2, attribution="attention_rollout")


def test_cka_is_the_normalized_independence_criterion() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 7))
    center = np.eye(40) - 1 / 40

    def hsic(a: Any, b: Any) -> float:
        return float(np.trace(a @ a.T @ center @ b @ b.T @ center))

    assert cka(x, y) == pytest.approx(hsic(x, y) / (hsic(x, x) * hsic(y, y)) ** 0.5)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert cka(x, 3 * x @ rotation + 1) == pytest.approx(1)
    assert cka(x, np.ones((40, 2))) == 0


def test_drift_is_where_weights_changed(make_spec: MakeSpec) -> None:
    assert measured(examined(make_spec("lora")), "drift")["states_drift"].value == pytest.approx(0, abs=1e-6)
    changed = examined(make_spec("full"), lambda model: scramble(model.bert.encoder.layer[-1]))
    found = measured(changed, "drift")
    by_block = found["states_drift"].examples
    assert list(by_block) == ["embeddings", "block 0", "block 1", "block 2"]
    assert [by_block["embeddings"], by_block["block 0"], by_block["block 1"]] == pytest.approx([0, 0, 0], abs=1e-6)
    assert by_block["block 2"] == found["last_state_drift"] > 0.01


def test_explain_weighs_the_words_of_a_stored_run(make_spec: MakeSpec, tmp_path: Path) -> None:
    """By occlusion they are differences of what ``predict`` says; by gradients there is one for each word too."""
    record = run(make_spec("lora", training={"epochs": 1, "learning_rate": 1e-2}), tmp_path)
    text, where = "the film is good", ["--results", str(tmp_path)]
    for attribution in ATTRIBUTIONS:
        asked = ["explain", record.run_id[:8], text, "--attribution", attribution, "--keep", *where]
        done = CliRunner().invoke(app, asked)
        assert done.exit_code == 0, done.exception
        lines = [line.split() for line in done.stdout.splitlines()]
        assert [words[0] for words in lines[2:]] == text.split()
        if attribution == "occlusion":
            label, weights = lines[0][0].rstrip(","), [float(words[1]) for words in lines[2:]]
    words = text.split()
    texts = [text, *(" ".join(words[:at] + words[at + 1 :]) for at in range(4))]
    answers = predict_texts(record.run_id, texts, tmp_path)
    assert answers[0]["prediction"] == label
    exponentials = [{name: np.exp(score) for name, score in answer["scores"].items()} for answer in answers]
    whole, *without = [each[label] / sum(each.values()) for each in exponentials]
    assert weights == pytest.approx([whole - one for one in without], abs=6e-5)
    explained = kept(tmp_path / "runs" / record.run_id)
    assert [one.attribution for one in explained] == list(ATTRIBUTIONS)
    assert explained[list(ATTRIBUTIONS).index("occlusion")].weights == pytest.approx(weights, abs=6e-5)
