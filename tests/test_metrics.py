"""Metrics against formulas and other libraries, and on degenerate inputs."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import statsmodels.api as sm

from harness.errors import SpecError
from harness.evaluation.metrics import metric
from harness.metrics import METRICS, compute

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


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_examples_or_unequal_lengths_are_errors(name: str) -> None:
    with pytest.raises(SpecError, match="as many predictions as targets"):
        compute(name, [], [])
    with pytest.raises(SpecError, match="got 1 for 2"):
        compute(name, [1, 1], [1])


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'accuracy'"):
        compute("acuracy", [1], [1])


SAMPLES: dict[str, tuple[list, list]] = {
    **dict.fromkeys(("accuracy", "macro_f1"), (TARGETS, PREDICTIONS)),
    **dict.fromkeys(("f1", "mcc"), BINARY),
    **dict.fromkeys(("pearson", "spearman"), (X, Y)),
    "span_f1": ([[1, 2, 0], [3]], [[1, 2, 0], [0]]),
    **dict.fromkeys(
        ("exact_match", "bleu", "chrf", "rouge1", "rouge2", "rougeL"),
        (["a dog runs over the field", "no"], ["a dog runs over a field", "no"]),
    ),
}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_evaluate_modules_give_the_same_without_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    targets, predictions = SAMPLES[name]
    found = metric(name).compute(predictions=predictions, references=targets)
    assert found == {name: pytest.approx(compute(name, targets, predictions))}
    assert 0 < found[name] < 1


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(SpecError, match="unknown metric 'blue'"):
        metric("blue")
