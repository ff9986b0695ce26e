"""Pretraining on the texts before the method: against transformers' losses, its cache, its price, without labels."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from harness import data
from harness.bases.load import Wanted, load
from harness.bases.masking import choose_tokens, mask_tokens
from harness.core.errors import SourceError
from harness.core.spec import RunSpec, TaskSpec
from harness.data.tasks import find_task
from harness.fetching.assets import cache_folder
from harness.formulations._pretraining import BoundTexts
from harness.runs.export import predict_texts
from harness.runs.identity import identify
from harness.runs.pretrained import start
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.record import Record
from harness.task import Example, Splits
from harness.testing.snapshots import save_snapshot
from tests.conftest import MakeSpec

SOME = {"name": "tapt", "max_steps": 4, "batch_size": 16, "learning_rate": 1e-2}
EXAMPLES = [Example("0", {"sentence": "a very good film"}, 0), Example("1", {"sentence": "the plot is bad"}, 1)]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def masked_base(tmp_path: Path) -> str:
    return str(save_snapshot("encoder", tmp_path / "masked", has_mask_head=True))


def kept() -> list[Path]:
    folder = cache_folder() / "pretrained"
    return [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []


def splits_of(spec: RunSpec) -> Splits:
    return data.load(find_task(spec.task.name), spec.task, spec.seed)[0]


def started(spec: RunSpec) -> Path:
    return Path(start(resolve(spec), splits_of(spec))[0].start)


def bound(spec: RunSpec, auto_class: str) -> BoundTexts:
    base = load(spec.base, Wanted(auto_class, dropout=0.0))
    return BoundTexts(find_task("sst2"), base, spec, mask_rate=0.5)


def test_a_decoder_learns_by_transformers_loss(make_spec: MakeSpec) -> None:
    """The mean over all tokens of a batch but the first of each text."""
    spec = make_spec(kind="decoder")
    texts = bound(spec, "AutoModelForCausalLM")
    rows = texts.encode(EXAMPLES)
    batch = texts.collate(rows, torch.device("cpu"))
    loss = texts.losses(texts.base.model, batch).sum() / texts.n_counted(rows)
    whole = AutoModelForCausalLM.from_pretrained(spec.base.name)
    labels = torch.where(batch.inputs["attention_mask"].bool(), batch.inputs["input_ids"], -100)
    assert loss.item() == pytest.approx(whole(**batch.inputs, labels=labels).loss.item(), rel=1e-4)


def test_an_encoder_learns_by_transformers_loss(make_spec: MakeSpec, masked_base: str) -> None:
    """Of the same masked tokens, with the checkpoint's own head."""
    spec = make_spec(base={"name": masked_base, "dropout": 0.0})
    texts = bound(spec, "AutoModelForMaskedLM")
    batch = texts.collate(texts.encode(EXAMPLES), torch.device("cpu"))
    torch.manual_seed(0)
    losses = texts.losses(texts.base.model, batch)
    torch.manual_seed(0)
    ids, chosen = batch.inputs["input_ids"], choose_tokens(texts.tokenizer, batch.inputs, 0.5)
    masked = mask_tokens(texts.tokenizer, ids, chosen)
    whole = AutoModelForMaskedLM.from_pretrained(masked_base).eval()
    mean = whole(**batch.inputs | {"input_ids": masked}, labels=torch.where(chosen, ids, -100)).loss
    assert (losses.sum() / chosen.sum()).item() == pytest.approx(mean.item(), rel=1e-4)


def perplexity(base: str | Path, spec: RunSpec) -> float:
    """Loss of the training texts by transformers alone."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)
    ids = [tokenizer(e.fields["sentence"], return_tensors="pt")["input_ids"] for e in splits_of(spec).train[:8]]
    return sum(model(one, labels=one).loss.item() for one in ids) / len(ids)


def test_the_base_knows_the_texts_better(make_spec: MakeSpec) -> None:
    spec = make_spec(kind="decoder", recipes=[SOME | {"max_steps": 20}])
    assert perplexity(started(spec), spec) < 0.8 * perplexity(spec.base.name, spec)


def test_one_base_for_all_methods(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Pretrained once for a task, a base and a seed; its price is the same in the record of whoever comes later."""

    def record(method: str, **sections: Any) -> Record:
        made = run(make_spec(method, recipes=[SOME], **sections), tmp_path / "results")
        assert made.status == "ok", made.reason
        return made

    one, other, again = record("lora"), record("bitfit"), record("lora", seed=1)
    assert [made.cost.pretrain_cached for made in (one, other, again)] == [False, True, False]
    assert one.cost.pretrain_seconds == other.cost.pretrain_seconds > 0
    assert one.cost.pretrain_passes == pytest.approx(4 * 16 / one.data.sizes["train"])
    assert one.cost.pretrain_tokens == other.cost.pretrain_tokens > 4 * 16
    assert one.weights.pretrained == other.weights.pretrained != again.weights.pretrained
    assert one.weights.fingerprint == again.weights.fingerprint
    assert len(kept()) == 2


def test_all_that_decides_it_is_in_its_key(make_spec: MakeSpec, tmp_path: Path, snapshots: dict[str, Path]) -> None:
    other = Path(shutil.copytree(snapshots["encoder"], tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor + 0.01 for name, tensor in weights.items()}, other / "model.safetensors", {"format": "pt"})
    specs = [
        make_spec(recipes=[SOME]),
        make_spec(recipes=[SOME | {"mask_rate": 0.3}]),
        make_spec(recipes=[SOME | {"learning_rate": 1e-3}]),
        make_spec(recipes=[SOME], seed=1),
        make_spec(recipes=[SOME], base={"name": str(other)}),
        make_spec(recipes=[SOME], base={"dropout": 0.2}),
        make_spec(recipes=[SOME], base={"max_length": 8}),
        make_spec(recipes=[SOME], task={"train_limit": 48}),
        make_spec(recipes=[SOME], training={"precision": "bf16"}),
    ]
    folders = [started(spec) for spec in specs]
    assert len(set(folders)) == len(specs)
    made = {(folder / "model.safetensors").read_bytes() for folder in folders}
    assert len(made) == len(specs)
    alike = make_spec("bitfit", recipes=[SOME], training={"epochs": 7, "batch_size": 4}, base={"quantization": "8bit"})
    assert started(alike) == folders[0]


def test_made_again_it_is_the_same(make_spec: MakeSpec) -> None:
    first = (started(make_spec(recipes=[SOME])) / "model.safetensors").read_bytes()
    shutil.rmtree(kept()[0])
    assert (started(make_spec(recipes=[SOME])) / "model.safetensors").read_bytes() == first


def test_an_interrupted_one_leaves_nothing_half(make_spec: MakeSpec) -> None:
    spec = make_spec(recipes=[SOME])

    def interrupt(step: int, tokens: int, loss: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(resolve(spec), splits_of(spec), interrupt)
    assert kept() == []
    killed = cache_folder() / "pretrained" / f".{started(spec).name}-left"
    shutil.rmtree(kept()[0])
    killed.mkdir()
    assert kept() == [killed]
    assert kept() != [started(spec)]
    assert len(kept()) == 1
    assert not killed.exists()


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_zero_shot_learns_from_the_texts_alone(
    kind: str, make_spec: MakeSpec, masked_base: str, tmp_path: Path, tiny_data: Path
) -> None:
    """Labels turned round give the same base; the answers are not those of the base as it came."""
    flipped = Path(shutil.copytree(tiny_data, tmp_path / "flipped"))
    rows = pq.read_table(flipped / "train.parquet").to_pylist()
    turned = [row | {"label": 1 - row["label"]} for row in rows]
    pq.write_table(pa.Table.from_pylist(turned), flipped / "train.parquet")
    base = {"base": {"name": masked_base}} if kind == "encoder" else {}

    def record(recipes: list[dict[str, Any]], folder: Path) -> Record:
        spec = make_spec("zero_shot", kind, recipes=recipes, task={"path": str(folder)}, **base)
        made = run(spec, tmp_path / "results")
        assert made.status == "ok", made.reason
        return made

    plain, adapted, turned_round = record([], tiny_data), record([SOME], tiny_data), record([SOME], flipped)
    assert adapted.weights.pretrained == turned_round.weights.pretrained
    assert len(kept()) == 1
    assert adapted.spec.recipe == "tapt"
    assert adapted.params.trainable == 0
    assert adapted.cost.pretrain_seconds > 0 == plain.cost.pretrain_seconds
    answers = [
        pq.read_table(tmp_path / "results" / "runs" / r.run_id / "predictions.parquet") for r in (plain, adapted)
    ]
    assert not answers[0].equals(answers[1])


def test_a_recipe_that_only_trains_is_still_dropped(make_spec: MakeSpec) -> None:
    recipes = [{"name": "fgm"}, SOME]
    assert [recipe.name for recipe in resolve(make_spec("zero_shot", recipes=recipes)).recipes] == ["tapt"]
    assert resolve(make_spec("zero_shot", recipes=recipes)).spec.recipe == "tapt"
    assert resolve(make_spec("lora", recipes=recipes)).spec.recipe == "fgm+tapt"


def test_the_checkpoints_pooler_is_kept(make_spec: MakeSpec, masked_base: str, tmp_path: Path) -> None:
    """A model that fills in masks has none, and a classifier needs it; one that is not there is not made up."""
    assert AutoModel.from_pretrained(started(make_spec(base={"name": masked_base}, recipes=[SOME])))
    path = Path(masked_base) / "model.safetensors"
    pooler = {"bert.pooler.dense.weight": torch.randn(32, 32), "bert.pooler.dense.bias": torch.randn(32)}
    for tensors in ({}, pooler):
        save_file(load_file(path) | tensors, path, {"format": "pt"})
        folder = started(make_spec(base={"name": masked_base}, recipes=[SOME]))
        found = load_file(folder / "model.safetensors")
        assert {key for key in found if "pooler" in key} == tensors.keys()
        assert (
            load_file(path).keys() - {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"} <= found.keys()
        )
    loaded = AutoModel.from_pretrained(folder)
    torch.testing.assert_close(loaded.pooler.dense.weight.data, pooler["bert.pooler.dense.weight"])


def test_what_was_trained_answers_later(make_spec: MakeSpec, tmp_path: Path) -> None:
    """From the cached base, or one made again; another one is refused."""
    made = run(make_spec(recipes=[SOME]), tmp_path / "results")
    texts = ["a good film", "the plot is awful"]
    before = predict_texts(made.run_id, texts, tmp_path / "results")
    (folder,) = kept()
    shutil.rmtree(folder)
    assert predict_texts(made.run_id, texts, tmp_path / "results") == before
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match="has other weights"):
        predict_texts(made.run_id, texts, tmp_path / "results")


def test_of_a_domain_no_text_is_read_that_is_judged(make_spec: MakeSpec, tmp_path: Path) -> None:
    """With or without it among the domain's training texts the base is the same; the run is not."""
    domain = f"{tmp_path}/reviews.parquet?text=text&target=label"
    spec = make_spec(recipes=[SOME | {"domain": domain}])

    def write(*more: str) -> list[str]:
        texts = [f"a film with {n} plots is very {word}" for n in range(40) for word in ("good", "bad")]
        rows = [{"text": text, "label": n % 2} for n, text in enumerate([*texts, *more])]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "reviews.parquet")
        own = data.load(find_task(domain), TaskSpec(name=domain), 0)[0].train
        return [example.fields["text"] for example in own]

    judged = [example.fields["sentence"].upper() for example in splits_of(spec).test]
    write()
    without, run_id = started(spec), identify(resolve(spec))
    for text in judged:
        if text in write(text):
            break
    else:
        raise AssertionError("none of them comes into train")
    assert started(spec) == without != started(make_spec(recipes=[SOME]))
    assert identify(resolve(spec)) != run_id


def test_an_encoder_decoder_is_skipped(make_spec: MakeSpec) -> None:
    reason = resolve(make_spec(kind="encoder_decoder", recipes=[SOME])).skip_reason()
    assert reason == "tapt needs an encoder or a decoder; this base is encoder_decoder"


def test_it_stands_beside_other_recipes(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec(recipes=[SOME, {"name": "fgm"}], training={"max_steps": 2}), tmp_path / "results")
    assert record.status == "ok", record.reason
    assert "fgm/adversarial_loss" in record.curve[-1]
    assert replace(resolve(record.spec), start="").in_effect.base.name == record.spec.base.name
