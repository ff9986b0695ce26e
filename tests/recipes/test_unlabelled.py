"""Self-supervised losses beside the task against transformers' own, and SimCSE's against its formula."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from harness import data
from harness.core.errors import Unsupported
from harness.data.tasks import find_task
from harness.formulation import Batch
from harness.recipe import RECIPES, Example, Training
from harness.runs.adapted import Adapted
from harness.runs.export import export_run
from harness.runs.run import run
from harness.testing.snapshots import save_snapshot
from harness.training.hooks import Trainee
from tests.conftest import MakeSpec
from tests.ready import ready

make = RECIPES.make
TEXTS = ("a very good film", "the plot is bad and the cast is dull", "superb")


def a_batch(adapted: Adapted, labels: tuple[int, ...] = (0, 1, 0)) -> Batch:
    examples = [
        Example(str(n), {"sentence": text}, label) for n, (text, label) in enumerate(zip(TEXTS, labels, strict=True))
    ]
    return adapted.formulation.collate(adapted.formulation.encode_training(examples), torch.device("cpu"))


def made_ready(make_spec: MakeSpec, name: str, kind: str = "encoder", **sections: Any) -> tuple[Adapted, Training]:
    """What a run with the recipe of that name trains."""
    spec = make_spec("full", kind, recipes=[{"name": name}], **sections)
    adapted = ready(spec)
    adapted.model.train()
    return adapted, Trainee(adapted.model, None, adapted.formulation).training(1)  # type: ignore[arg-type]


def losses(name: str, adapted: Adapted, training: Training, batch: Batch, **settings: float) -> Tensor:
    recipe = make(name, settings)
    recipe.begin(training)
    torch.manual_seed(0)
    return recipe.losses(training, batch, lambda given: adapted.formulation.losses(adapted.model, given))


@pytest.fixture
def masked_base(tmp_path: Path) -> Path:
    return save_snapshot("encoder", tmp_path / "masked", has_mask_head=True)


def test_masked_lm_is_transformers_loss(make_spec: MakeSpec, masked_base: Path) -> None:
    """Of the same masked tokens with the checkpoint's own head, row by row."""
    still = {"name": str(masked_base), "dropout": 0.0}
    adapted, training = made_ready(make_spec, "masked_lm", base=still)
    batch = a_batch(adapted)
    task = adapted.formulation.losses(adapted.model, batch)
    made = losses("masked_lm", adapted, training, batch, weight=2.0, rate=0.5)
    recipe = make("masked_lm", {"rate": 0.5})
    torch.manual_seed(0)
    ids, chosen = batch.inputs["input_ids"], recipe._chosen(training, batch)
    masked = recipe._masked(training, ids, chosen)
    whole = AutoModelForMaskedLM.from_pretrained(masked_base)
    for n in range(3):
        part = slice(n, n + 1)
        added = torch.zeros(())
        if chosen[n].any():
            labels = torch.where(chosen, ids, -100)[part]
            added = whole(masked[part], attention_mask=batch.inputs["attention_mask"][part], labels=labels).loss
        assert made[n].item() == pytest.approx((task[n] + 2 * added).item(), rel=1e-4)
    assert training.take_logged()["masked_lm/has_head"] == 1.0


def test_without_a_head_the_curve_says_so(make_spec: MakeSpec) -> None:
    adapted, training = made_ready(make_spec, "masked_lm")
    losses("masked_lm", adapted, training, a_batch(adapted))
    logged = training.take_logged()
    assert logged["masked_lm/has_head"] == 0.0
    assert logged["masked_lm/loss"] >= 0


def test_masks_are_berts(make_spec: MakeSpec) -> None:
    """15 % of the text's tokens; of these 80 % are masked, 10 % random, 10 % left. Special tokens and padding stay."""
    _, training = made_ready(make_spec, "masked_lm")
    assert training.tokenizer
    special, padding = training.tokenizer.eos_token_id, training.tokenizer.pad_token_id
    ids = torch.randint(6, 30, (200, 50))
    ids[:, 0], ids[:, -1], ids[:, -2] = special, padding, special
    mask = torch.ones_like(ids)
    mask[:, -1] = 0
    recipe, batch = make("masked_lm"), Batch([], {"input_ids": ids, "attention_mask": mask})
    torch.manual_seed(0)
    chosen = recipe._chosen(training, batch)
    masked = recipe._masked(training, ids, chosen)
    assert not chosen[:, [0, -1, -2]].any()
    assert chosen[:, 1:-2].float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert torch.equal(masked[~chosen], ids[~chosen])
    of_chosen = masked[chosen]
    assert (of_chosen == training.tokenizer.mask_token_id).float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert (of_chosen == ids[chosen]).float().mean().item() == pytest.approx(0.1, abs=0.03)


def test_causal_lm_is_transformers_loss_of_what_stands_before_the_answer(make_spec: MakeSpec) -> None:
    adapted, training = made_ready(make_spec, "causal_lm", "decoder")
    batch = a_batch(adapted)
    task = adapted.formulation.losses(adapted.model, batch)
    made = losses("causal_lm", adapted, training, batch, weight=2.0)
    whole = AutoModelForCausalLM.from_pretrained(adapted.formulation.spec.base.name)
    for n, row in enumerate(batch.rows):
        prompt = torch.tensor([row.sequences[0][: row.spans[0].start + 1]])
        added = whole(prompt, labels=prompt).loss
        assert made[n].item() == pytest.approx((task[n] + 2 * added).item(), rel=1e-4)


def test_causal_lm_with_a_head_has_the_embeddings(make_spec: MakeSpec) -> None:
    adapted, training = made_ready(make_spec, "causal_lm", "decoder", formulation="head")
    batch = a_batch(adapted)
    made = losses("causal_lm", adapted, training, batch, task_weight=0.0, weight=1.0)
    ids = torch.tensor([batch.rows[0].sequences[0]])
    whole = AutoModel.from_pretrained(adapted.formulation.spec.base.name)
    logits = whole(ids).last_hidden_state @ whole.get_input_embeddings().weight.T
    expected = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:])
    assert made[0].item() == pytest.approx(expected.item(), rel=1e-4)


def test_simcse_is_its_formula(make_spec: MakeSpec) -> None:
    """-log exp(cos / t) / Σ exp(cos / t) of mean-pooled embeddings; without dropout both are the same."""
    adapted, training = made_ready(make_spec, "simcse", base={"dropout": 0.0})
    batch = a_batch(adapted)
    made = losses("simcse", adapted, training, batch, weight=1.0, temperature=0.1, task_weight=0.0).detach().numpy()
    encoder = AutoModel.from_pretrained(adapted.formulation.spec.base.name)
    vectors = []
    for row in batch.rows:
        mean = encoder(torch.tensor([row.sequences[0]])).last_hidden_state[0].mean(0).detach().numpy()
        vectors.append(mean / np.linalg.norm(mean))
    cosines = np.stack(vectors) @ np.stack(vectors).T / 0.1
    expected = np.log(np.exp(cosines).sum(1)) - np.diag(cosines)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("name", "kind"), [("masked_lm", "encoder"), ("causal_lm", "decoder"), ("simcse", "encoder")])
def test_from_the_texts_alone_labels_have_no_part(name: str, kind: str, make_spec: MakeSpec) -> None:
    adapted, training = made_ready(make_spec, name, kind, base={"dropout": 0.0} if kind == "encoder" else {})
    one, other = (
        losses(name, adapted, training, a_batch(adapted, labels), task_weight=0.0) for labels in ((0, 1, 0), (1, 0, 1))
    )
    torch.testing.assert_close(one, other)


def test_a_decoder_learns_from_the_texts_and_answers_zero_shot(make_spec: MakeSpec, tmp_path: Path) -> None:
    recipes = [{"name": "causal_lm", "task_weight": 0.0}]
    record = run(make_spec("lora", "decoder", recipes=recipes, training={"max_steps": 4}), tmp_path)
    assert record.status == "ok", record.reason
    assert record.curve[-1]["causal_lm/loss"] > 0


def test_what_learned_from_the_texts_is_a_base_for_others(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Task-adaptive pretraining: the exported base predicts the task's texts better, and a method starts from it."""
    recipes = [{"name": "causal_lm", "task_weight": 0.0}]
    rate = {"learning_rate": 1e-2}
    spec = make_spec("full", "decoder", recipes=recipes, training=rate)
    adapting = run(spec, tmp_path / "results")
    to = export_run(adapting.run_id, tmp_path / "adapted", tmp_path / "results", merge=True)

    def loss(base: str) -> float:
        model, tokenizer = AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)
        texts = [e.fields["sentence"] for e in data.load(find_task("sst2"), spec.task, 0)[0].train[:8]]
        ids = [tokenizer(f"Review: {text}", return_tensors="pt")["input_ids"] for text in texts]
        return sum(model(i, labels=i).loss.item() for i in ids)

    assert loss(str(to)) < 0.9 * loss(spec.base.name)
    after = run(make_spec("lora", "decoder", base={"name": str(to)}, training={"max_steps": 2}), tmp_path / "results")
    assert after.status == "ok", after.reason
    assert after.weights.fingerprint != adapting.weights.fingerprint


def test_masked_lm_needs_a_mask(make_spec: MakeSpec) -> None:
    _, training = made_ready(make_spec, "masked_lm")
    with pytest.raises(Unsupported, match="mask token"):
        make("masked_lm").begin(replace(training, tokenizer=None))
