"""Metrics over targets and predictions, as plain functions; higher is better for all of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness.core.errors import SpecError, unknown
from harness.core.words import UNSPACED, script, words


def why_undefined(name: str, targets: Sequence[Any]) -> str | None:
    """Why no prediction could earn a score on these targets, or None."""
    if name in ("mcc", "pearson", "spearman") and _is_constant(targets):
        return f"{name} is undefined: all targets are {targets[0]}"
    if name in ("pearson", "spearman") and not np.isfinite(np.asarray(targets, float)).all():
        return f"{name} is undefined: a target is not a finite number"
    if name == "f1" and 1 not in targets:
        return "f1 is undefined: no target has label 1"
    if name == "span_f1" and not any(map(any, targets)):
        return "span_f1 is undefined: no target has a span"
    return None


def compute(name: str, targets: Sequence[Any], predictions: Sequence[Any]) -> float:
    """A metric's value: in 0..1, correlations in -1..1.

    Args:
        name: A key of ``METRICS``.
        targets: Label indices, numbers, texts, or for span_f1 one sequence of label indices per example.
        predictions: The same for the predictions, in the same order.

    Raises:
        SpecError: an unknown metric, no example, unequal lengths, or f1 of more than two labels.
    """
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    if len(targets) != len(predictions) or len(targets) == 0:
        raise SpecError(
            f"{name} needs as many predictions as targets, at least one; got {len(predictions)} for {len(targets)}"
        )
    return float(METRICS[name](targets, predictions))


def _accuracy(targets: Sequence[Any], predictions: Sequence[Any]) -> float:
    return float(np.mean(np.asarray(targets) == np.asarray(predictions)))


def _f1(targets: Sequence[int], predictions: Sequence[int]) -> float:
    """F1 of label 1, as GLUE has it; 0 if it is neither a target nor predicted."""
    from sklearn.metrics import f1_score

    if not {*targets, *predictions} <= {0, 1}:
        raise SpecError("metric f1 is that of label 1 among two labels; there are more: use macro_f1")
    is_target, is_predicted = np.asarray(targets) == 1, np.asarray(predictions) == 1
    return float(f1_score(is_target, is_predicted, zero_division=0))


def _macro_f1(targets: Sequence[int], predictions: Sequence[int]) -> float:
    """Unweighted mean over the labels that occur in targets or predictions."""
    from sklearn.metrics import f1_score

    return float(f1_score(targets, predictions, average="macro", zero_division=0))


def _mcc(targets: Sequence[int], predictions: Sequence[int]) -> float:
    """Matthews correlation; 0 where targets or predictions are constant."""
    from sklearn.metrics import matthews_corrcoef

    if _is_constant(targets) or _is_constant(predictions):
        return 0.0
    return float(matthews_corrcoef(targets, predictions))


def _pearson(targets: Sequence[float], predictions: Sequence[float]) -> float:
    """Linear correlation; 0 where it is undefined because one side is constant."""
    from scipy.stats import pearsonr

    return _correlation(pearsonr, targets, predictions)


def _spearman(targets: Sequence[float], predictions: Sequence[float]) -> float:
    """Rank correlation; 0 where it is undefined because one side is constant."""
    from scipy.stats import spearmanr

    return _correlation(spearmanr, targets, predictions)


def _correlation(statistic: Callable[..., Any], targets: Sequence[float], predictions: Sequence[float]) -> float:
    if _is_constant(targets) or _is_constant(predictions):
        return 0.0
    return float(statistic(np.asarray(targets, float), np.asarray(predictions, float)).statistic)


def _is_constant(values: Sequence[float]) -> bool:
    return bool(np.ptp(np.asarray(values, float)) == 0)


def _span_f1(targets: Sequence[Sequence[int]], predictions: Sequence[Sequence[int]]) -> float:
    """Micro F1 of exact spans (CoNLL 2003), by seqeval; 0 if there is no span at all."""
    from seqeval.metrics import f1_score

    return float(f1_score(iob2_tags(targets), iob2_tags(predictions), zero_division=0))


def iob2_tags(sequences: Sequence[Sequence[int]]) -> list[list[str]]:
    """IOB2 tags: label 0 is outside, labels 2k-1 and 2k begin and continue a span of the k-th type."""
    return [["O" if i == 0 else f"{'IB'[i % 2]}-{(i + 1) // 2}" for i in sequence] for sequence in sequences]


def bleu(targets: Sequence[str]) -> Any:
    """sacreBLEU's BLEU for texts in the targets' language.

    The tokenizer is its default, 13a. Where most letters are of a script without blanks between words, of which 13a
    would make one word a sentence: zh for Chinese, char for others (Japanese, Thai, Lao, Khmer, Burmese).

    ``effective_order``: orders that no prediction is long enough for don't count, or texts of less than four words
    would score 0 whatever they say; where one has four words the score is sacreBLEU's default.
    """
    from sacrebleu.metrics import BLEU

    scripts = Counter(script(letter) for text in targets for letter in text if letter.isalpha())
    unspaced = {name: n for name, n in scripts.items() if name in UNSPACED}
    tokenizer = "13a" if 2 * sum(unspaced.values()) <= scripts.total() else "zh" if {*unspaced} == {"CJK"} else "char"
    return BLEU(tokenize=tokenizer, effective_order=True)


def _bleu(targets: Sequence[str], predictions: Sequence[str]) -> float:
    """Corpus BLEU by sacreBLEU, in 0..1; ``bleu`` has its settings."""
    # Rounding makes a perfect score 100.00000000000004.
    return min(float(bleu(targets).corpus_score(list(predictions), [list(targets)]).score) / 100, 1.0)


def _chrf(targets: Sequence[str], predictions: Sequence[str]) -> float:
    """Corpus chrF2 by sacreBLEU, in 0..1."""
    from sacrebleu import corpus_chrf

    return float(corpus_chrf(list(predictions), [list(targets)]).score) / 100


def _rouge(variant: str) -> Callable[[Sequence[str], Sequence[str]], float]:
    """Mean F of a variant by rouge-score with its stemmer.

    rouge-score's words are runs of a-z and 0-9. Where most letters of the target are not Latin, both texts are split
    into words of Unicode letters instead, scripts without blanks between words into characters. Equal texts score 1,
    also where they have no such word or too few for an n-gram.
    """

    def score(targets: Sequence[str], predictions: Sequence[str]) -> float:
        return float(np.mean([_rouge_of(variant, *pair) for pair in zip(targets, predictions, strict=True)]))

    return score


def _rouge_of(variant: str, target: str, prediction: str) -> float:
    if target == prediction:
        return 1.0
    letters = [letter for letter in target if letter.isalpha()]
    is_latin = 2 * sum(script(letter) == "LATIN" for letter in letters) >= len(letters)
    return float(_rouge_scorer(variant, is_latin).score(target, prediction)[variant].fmeasure)


@cache
def _rouge_scorer(variant: str, is_latin: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([variant], use_stemmer=True, tokenizer=None if is_latin else _UnicodeWords())


class _UnicodeWords:
    """What rouge-score calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """Lower-case words."""
        return words(text.lower())


METRICS: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "mcc": _mcc,
    "pearson": _pearson,
    "spearman": _spearman,
    "span_f1": _span_f1,
    "exact_match": _accuracy,
    "bleu": _bleu,
    "chrf": _chrf,
    "rouge1": _rouge("rouge1"),
    "rouge2": _rouge("rouge2"),
    "rougeL": _rouge("rougeL"),
}
"""Name → function of targets and predictions."""
