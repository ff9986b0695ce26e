"""Metrics against formulas and other libraries, and on degenerate inputs."""

import math
import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from harness.core.errors import SpecError
from harness.core.words import words
from harness.data.tasks import find_task
from harness.libraries.evaluate import module
from harness.metric import check_metrics, make_metric
from tests.judging import compute

GENERATOR = random.Random(0)
TARGETS = [GENERATOR.randrange(3) for _ in range(200)]
PREDICTIONS = [t if GENERATOR.random() < 0.6 else GENERATOR.randrange(3) for t in TARGETS]
BINARY = [int(t == 1) for t in TARGETS], [int(p == 1) for p in PREDICTIONS]
X = [GENERATOR.gauss(0, 1) for _ in range(100)]
Y = [round(x + GENERATOR.gauss(0, 1), 1) for x in X]  # rounded: ties


def f1_of(label: int, targets: Sequence[int], predictions: Sequence[int]) -> float:
    pairs = Counter(zip((t == label for t in targets), (p == label for p in predictions), strict=True))
    return 2 * pairs[True, True] / (2 * pairs[True, True] + pairs[True, False] + pairs[False, True])


def test_accuracy() -> None:
    right = sum(t == p for t, p in zip(TARGETS, PREDICTIONS, strict=True))
    assert compute("accuracy", TARGETS, PREDICTIONS) == right / 200


def test_f1_is_that_of_label_1() -> None:
    assert compute("f1", *BINARY) == pytest.approx(f1_of(1, *BINARY))


def test_macro_f1_is_the_mean_over_labels() -> None:
    expected = np.mean([f1_of(label, TARGETS, PREDICTIONS) for label in range(3)])
    assert compute("macro_f1", TARGETS, PREDICTIONS) == pytest.approx(expected)


def test_mcc_is_the_phi_coefficient() -> None:
    table = sm.stats.Table2x2(np.histogram2d(*BINARY, bins=2)[0])
    phi = math.copysign(math.sqrt(table.test_nominal_association().statistic / 200), table.log_oddsratio)
    assert compute("mcc", *BINARY) == pytest.approx(phi)


def test_pearson_is_the_standardized_covariance() -> None:
    covariance = np.cov(X, Y)
    assert compute("pearson", X, Y) == pytest.approx(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_spearman_is_pearson_of_mid_ranks() -> None:
    def ranks(values: Sequence[float]) -> list[float]:
        return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]

    assert compute("spearman", X, Y) == pytest.approx(compute("pearson", ranks(X), ranks(Y)))


def spans(tags: Sequence[int]) -> set[tuple[int, int, int]]:
    """Type, start and end of the spans of a well-formed sequence."""
    found, start = set(), 0
    for end, tag in enumerate([*tags, 0]):
        if tag % 2 or tag == 0:
            if end and tags[end - 1]:
                found.add(((tags[end - 1] + 1) // 2, start, end))
            start = end
    return found


def test_span_f1_counts_exact_spans() -> None:
    targets = [[1, 2, 0, 3, 0], [0, 0, 1, 1, 2], [3, 4, 4]]
    predictions = [[1, 2, 0, 1, 0], [0, 3, 1, 1, 0], [3, 4, 4]]
    hits = sum(len(spans(t) & spans(p)) for t, p in zip(targets, predictions, strict=True))
    total = sum(len(spans(s)) for s in (*targets, *predictions))
    assert hits == 3
    assert compute("span_f1", targets, predictions) == pytest.approx(2 * hits / total)


def test_exact_match() -> None:
    assert compute("exact_match", ["72", "5", "a b"], ["72", "6", "a  b"]) == pytest.approx(1 / 3)


def test_bleu_is_the_formula_of_papineni() -> None:
    target, prediction = "the cat sat on the red mat today", "the cat sat on the mat today"
    words, reference = prediction.split(), target.split()

    def precision(n: int) -> float:
        def grams(text: list[str]) -> Counter[tuple[str, ...]]:
            return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))

        return (grams(words) & grams(reference)).total() / grams(words).total()

    mean = math.exp(sum(math.log(precision(n)) for n in range(1, 5)) / 4)
    assert compute("bleu", [target], [prediction]) == pytest.approx(math.exp(1 - 8 / 7) * mean)


def test_chrf_is_the_formula_of_popovic() -> None:
    target, prediction = "ein Hund rennt", "ein Hund ruht"
    scores = []
    for n in range(1, 7):
        grams = [
            Counter(text[i : i + n] for i in range(len(text) - n + 1))
            for text in (target.replace(" ", ""), prediction.replace(" ", ""))
        ]
        hits = (grams[0] & grams[1]).total()
        scores.append((hits / grams[1].total(), hits / grams[0].total()))
    precision, recall = np.mean(scores, axis=0)
    assert compute("chrf", [target], [prediction]) == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_rouge_of_a_case_by_hand() -> None:
    # Longest common subsequence "police the gunman": 3 of 4 and of 4 words; Lin 2004, section 3.
    target, prediction = ["police killed the gunman"], ["police kill the gunman"]
    assert compute("rougeL", target, ["police ate the gunman"]) == pytest.approx(3 / 4)
    assert compute("rouge1", target, prediction) == 1.0  # stemmed
    assert compute("rouge2", target, ["police killed a gunman"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "targets", "predictions"),
    [
        ("mcc", [0, 1, 1, 0], [1, 1, 1, 1]),
        ("mcc", [1, 1], [1, 1]),
        ("f1", [0, 0, 0], [0, 0, 0]),
        ("f1", [1, 1, 0], [0, 0, 0]),
        ("pearson", [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
        ("spearman", [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ("pearson", [1.0], [1.0]),
        ("span_f1", [[0, 0], [0]], [[0, 0], [0]]),
        ("bleu", ["a cat"], [""]),
        ("chrf", ["a cat"], [""]),
        ("rougeL", ["a cat"], [""]),
    ],
)
def test_degenerate_inputs_are_worth_nothing(name: str, targets: list, predictions: list) -> None:
    assert compute(name, targets, predictions) == 0.0


LANGUAGES = {
    "Chinese": "他昨天在北京大学图书馆看书",
    "Japanese": "きのう図書館で本を読みました",
    "Arabic": "قرأ الولد الكتاب في المكتبة",
    "Russian": "Мальчик читает книгу в библиотеке",
    "Hindi": "लड़का पुस्तकालय में किताब पढ़ता है",
    "Thai": "เด็กชายอ่านหนังสือในห้องสมุด",
    "Greek": "Το αγόρι διαβάζει ένα βιβλίο",
    "one word": "yes",
    "one character": "3",
    "no word": "?!",
}
TEXTS = ("exact_match", "bleu", "chrf", "rouge1", "rouge2", "rougeL")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TEXTS)
def test_equal_texts_of_any_language_score_one(name: str, language: str) -> None:
    text = LANGUAGES[language]
    assert compute(name, [text], [text]) == pytest.approx(1)


@pytest.mark.parametrize("language", ["Chinese", "Japanese", "Arabic", "Russian", "Hindi", "Thai", "Greek"])
@pytest.mark.parametrize("name", ["bleu", "rouge1", "rougeL"])
def test_half_of_a_text_scores_between(name: str, language: str) -> None:
    text = LANGUAGES[language]
    assert 0 < compute(name, [text], [text[: len(text) // 2]]) < 1


def test_words_of_other_scripts() -> None:
    assert words("Мама, «мыла» раму2!") == ["Мама", "мыла", "раму2"]
    assert words("लड़का है") == [unicodedata.normalize("NFKC", "लड़का"), "है"]
    assert words("GPT在北京 ok") == ["GPT", "在", "北", "京", "ok"]


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
def test_rouge_of_english_is_that_of_rouge_score(name: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    targets = ["The café’s owner, 54, paid £3m for β-carotene.", "Cats are running", "naïve Ünal said – no"]
    predictions = ["The cafe's owner paid £3m", "a cat runs", "naive Ünal said no"]
    scorer = RougeScorer([name], use_stemmer=True)
    theirs = [scorer.score(t, p)[name].fmeasure for t, p in zip(targets, predictions, strict=True)]
    assert compute(name, targets, predictions) == pytest.approx(np.mean(theirs))


def test_bleu_is_sacrebleus_where_any_text_has_four_words() -> None:
    from sacrebleu import corpus_bleu

    targets, predictions = ["one cat", "the cat sat on the mat"], ["one dog", "the cat sat on a mat"]
    assert compute("bleu", targets, predictions) == corpus_bleu(predictions, [targets]).score / 100
    assert compute("bleu", ["yes", "no"], ["yes", "yes"]) == pytest.approx(0.5)
    assert compute("bleu", ["yes"], ["no"]) == 0


@pytest.mark.parametrize(
    ("name", "targets", "reason"),
    [
        ("mcc", [1, 1], "all targets are 1"),
        ("pearson", [2.5], "all targets are 2.5"),
        ("spearman", [2.0, math.inf], "not a finite number"),
        ("pearson", [2.0, math.nan], "not a finite number"),
        ("f1", [0, 0], "no target has label 1"),
        ("span_f1", [(0, 0), (0,)], "no target has a span"),
    ],
)
def test_targets_on_which_no_score_can_be_earned(name: str, targets: list, reason: str) -> None:
    assert reason in (make_metric(name).undefined(targets) or "")


def test_f1_of_more_than_two_labels_names_macro_f1() -> None:
    for targets, predictions in (([0, 1, 2], [0, 1, 1]), ([0, 1, 1], [0, 1, 2])):
        with pytest.raises(SpecError, match="use macro_f1"):
            compute("f1", targets, predictions)


def test_metrics_that_cannot_judge_a_task(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"w{n},{'abc'[n % 3]}\n" for n in range(30)))
    ask = f"{path}?text=text&target=label"
    assert find_task(f"{ask}&metrics=macro_f1").metrics == ("macro_f1",)
    with pytest.raises(SpecError, match="this task has 3: use macro_f1"):
        find_task(f"{ask}&metrics=accuracy&metrics=f1")
    with pytest.raises(SpecError, match="unknown metric of classification 'bleu'; allowed: accuracy"):
        find_task(f"{ask}&metrics=bleu")
    with pytest.raises(SpecError, match=r"unknown metric of generation 'rouge' \(did you mean 'rouge1'"):
        check_metrics(["rouge"], "generation", 0)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'accuracy'"):
        compute("acuracy", [1], [1])


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(SpecError, match="unknown metric 'blue'"):
        module("blue")
