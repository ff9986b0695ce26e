"""Forgetting against the libraries' own losses, and of models that can have forgotten nothing, or everything."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from harness.core.errors import SpecError
from harness.data.tasks import find_task
from harness.probes._language import token_losses
from harness.probes._sentences import cosines
from harness.probes.forgetting import test_of as examples_of
from harness.runs import identity
from harness.runs.resolve import resolve
from harness.task import Example
from tests.conftest import MakeSpec
from tests.probes.conftest import GENERAL, examined, measured

SHORT = {"text": GENERAL, "n_tokens": 8}


def scramble(model: Any) -> None:
    """Weights that have nothing to do with the base's."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)


def test_nothing_trained_is_nothing_forgotten(make_spec: MakeSpec) -> None:
    found = measured(examined(make_spec("zero_shot", "decoder")), "forgetting", **SHORT, tasks=["sst2"][:0])
    assert found["general_loss_increase_nats"].value == 0
    assert found["general_loss_increase_nats"].interval is None
    assert found["general_loss_nats"].value > 0
    assert "similarity_drop" not in found


def test_a_fresh_lora_has_forgotten_nothing(make_spec: MakeSpec) -> None:
    found = measured(examined(make_spec("lora", "decoder")), "forgetting", **SHORT)
    assert found["general_loss_increase_nats"].value == pytest.approx(0, abs=1e-6)


def test_what_other_weights_lost_is_the_difference_of_transformers_losses(make_spec: MakeSpec) -> None:
    subject = examined(make_spec("full", "decoder"), scramble)
    found = measured(subject, "forgetting", **SHORT)["general_loss_increase_nats"]
    texts = {one.id: one.fields["text"] for one in examples_of(GENERAL, None)}
    assert len(found.examples) > 5
    for name, increase in list(found.examples.items())[:5]:
        ids = torch.tensor([subject.tokenizer(texts[name])["input_ids"][:8]])
        now, before = (model(input_ids=ids, labels=ids).loss for model in (subject.model, subject.unadapted()))
        assert increase == pytest.approx((now - before).item(), abs=1e-4)
    assert found.value == pytest.approx(np.mean(list(found.examples.values())))


def test_the_loss_of_a_decoder_is_transformers_own(make_spec: MakeSpec) -> None:
    spec = make_spec("zero_shot", "decoder")
    subject = examined(spec)
    ids = [[8, 9, 10, 11, 12], [20, 21, 8, 9, 10]]
    model = AutoModelForCausalLM.from_pretrained(spec.base.name)
    for sequence, loss in zip(ids, token_losses(subject, subject.model, ids), strict=True):
        expected = model(input_ids=torch.tensor([sequence]), labels=torch.tensor([sequence])).loss
        assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_the_bases_own_head_reads_the_adapted_states(make_spec: MakeSpec, masked_base: Path) -> None:
    """Of a base with a new head for the task that is the masked language model itself, to rounding."""
    for base, kind, head in (
        (masked_base, "encoder", AutoModelForMaskedLM),
        (None, "decoder", AutoModelForCausalLM),
    ):
        sections: dict[str, Any] = {"base": {"name": str(base)}} if base else {"formulation": "head"}
        spec = make_spec("last_layers", kind, **sections)
        subject, model = examined(spec), head.from_pretrained(spec.base.name)
        ids = [[2, 8, 9, 10, 11, 12, 13, 3]]
        found = token_losses(subject, subject.model, ids)
        shown, wanted = torch.tensor(ids), torch.tensor(ids)
        if kind == "encoder":
            from harness.probes._language import _masked

            shown, wanted = _masked(torch.tensor(ids), subject)
            assert 0 < (wanted != -100).sum() < 7
            assert (shown[wanted != -100] == subject.tokenizer.mask_token_id).all()
        expected = model(input_ids=shown, labels=wanted).loss.item()
        assert found == pytest.approx([expected], rel=1e-5)


def test_embeddings_are_the_mean_of_all_tokens(make_spec: MakeSpec) -> None:
    """Though of the last block the run computes the first token only."""
    spec = make_spec("last_layers")
    subject = examined(spec)
    pair = Example("0", {"a": "the film is good", "b": "a very bad plot"}, 0)
    (found,) = cosines(subject.model, subject.tokenizer, [pair])
    model, tokenizer = AutoModel.from_pretrained(spec.base.name).eval(), AutoTokenizer.from_pretrained(spec.base.name)
    with torch.no_grad():
        vectors = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0) for text in pair.fields.values()
        ]
    assert found == pytest.approx(torch.cosine_similarity(*vectors, dim=0).item(), abs=1e-6)


def test_similarity_is_scipys_rank_correlation(make_spec: MakeSpec, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    rng = np.random.default_rng(0)
    words = ["good", "bad", "film", "plot", "cast", "very", "dull", "great"]
    rows = [f"{' '.join(rng.choice(words, 5))},{' '.join(rng.choice(words, 5))},{rng.random():.3f}" for _ in range(90)]
    path.write_text("first,second,likeness\n" + "\n".join(rows))
    name = f"{path}?text=first&text=second&target=likeness&kind=regression"
    base = Path(make_spec().base.name)
    sentence = tmp_path / "sentences"
    sentence.mkdir()
    for file in base.iterdir():
        (sentence / file.name).write_bytes(file.read_bytes())
    (sentence / "modules.json").write_text("[]")
    found = measured(
        examined(make_spec("full", base={"name": str(sentence)}), scramble), "forgetting", similarity=name, n_pairs=50
    )
    fresh = examined(make_spec("zero_shot", base={"name": str(sentence)}))
    pairs = examples_of(name, 50)
    cosine = cosines(fresh.unadapted(), fresh.tokenizer, pairs)
    before = spearmanr([pair.target for pair in pairs], cosine).statistic
    assert found["similarity_drop"].value == pytest.approx(before - found["similarity_rank_correlation"].value)


def test_other_tasks_are_asked_without_training(make_spec: MakeSpec, tmp_path: Path) -> None:
    rows = "".join(f"film {n} is {w},{w}\n" for n in range(30) for w in ("good", "bad"))
    (tmp_path / "other.csv").write_text("text,kind\n" + rows)
    name = f"{tmp_path}/other.csv?text=text&target=kind"
    assert find_task(name)
    found = measured(examined(make_spec("zero_shot", "decoder")), "forgetting", **SHORT, tasks=[name], n_examples=8)
    assert found["untrained_tasks_drop"].value == 0
    assert len(found["untrained_tasks_drop"].examples) == 8
    with pytest.raises(SpecError, match="can't be asked of a model that answers by head"):
        measured(examined(make_spec("lora", "decoder", formulation="head")), "forgetting", **SHORT, tasks=[name])


def test_the_examples_of_other_tasks_are_part_of_the_run(make_spec: MakeSpec, tmp_path: Path) -> None:
    path, names = tmp_path / "other.csv", []
    name = f"{path}?text=text&target=kind"
    asked = {"name": "forgetting", **SHORT, "tasks": [name]}
    for last in ("good", "bad", "good"):
        rows = "".join(f"film {n} is {w},{w}\n" for n in range(30) for w in ("good", "bad"))
        path.write_text(f"text,kind\n{rows}the end,{last}\n")
        identity._fingerprint.cache_clear()
        names.append(identity.identify(resolve(make_spec("zero_shot", "decoder", probes=[asked]))))
    assert names[0] == names[2] != names[1]
    # An encoder is not asked, so its runs stay the same.
    before = identity.identify(resolve(make_spec("lora", probes=[asked])))
    path.unlink()
    identity._fingerprint.cache_clear()
    assert identity.identify(resolve(make_spec("lora", probes=[asked]))) == before
