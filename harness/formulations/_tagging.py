"""Tags as text, for models that generate: ``Apple (corporation); Paris (location)``, or ``none``."""

import re
from collections.abc import Sequence

NOTHING = "none"
_ITEM = re.compile(r"\s*(.+?)\s*\(([^()]+)\)\s*(?:;|$)")


def tags_to_text(tokens: Sequence[str], tags: Sequence[int], labels: Sequence[str]) -> str:
    """The spans in their order, each with its type; ``labels`` are O, then B- and I- of each type."""
    spans: list[tuple[list[str], str]] = []
    for token, tag in zip(tokens, tags, strict=True):
        place, _, kind = labels[tag].partition("-")
        if place == "I" and spans and spans[-1][1] == kind:
            spans[-1][0].append(token)
        elif place != "O":
            spans.append(([token], kind))
        if place == "O":
            spans.append(([], ""))  # a gap: an I- after it begins a span of its own
    return "; ".join(f"{' '.join(words)} ({kind})" for words, kind in spans if words) or NOTHING


def text_to_tags(text: str, tokens: Sequence[str], labels: Sequence[str]) -> tuple[int, ...]:
    """One tag per token: each span of the text at its first place not yet tagged; spans found nowhere are dropped."""
    tags = [0] * len(tokens)
    for span, kind in _ITEM.findall(text):
        words = span.split()
        if f"B-{kind}" not in labels:
            continue
        starts = (n for n in range(len(tokens) - len(words) + 1) if list(tokens[n : n + len(words)]) == words)
        start = next((n for n in starts if not any(tags[n : n + len(words)])), None)
        if start is not None:
            inside = labels.index(f"I-{kind}")
            tags[start : start + len(words)] = [labels.index(f"B-{kind}"), *[inside] * (len(words) - 1)]
    return tuple(tags)
