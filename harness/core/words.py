"""Words of a text in any script."""

import unicodedata

UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
"""Scripts that put no blanks between words, as ``script`` names them."""


def script(character: str) -> str:
    """The script of a letter as its Unicode name begins: LATIN, CYRILLIC, ARABIC, CJK, …; empty if it has no name."""
    return unicodedata.name(character, "").partition(" ")[0]


def words(text: str) -> list[str]:
    """Runs of letters, their marks and digits; of a script without blanks between words each character is one."""
    found: list[str] = []
    joins = False
    for character in unicodedata.normalize("NFKC", text):
        if unicodedata.category(character)[0] not in "LMN":
            joins = False
            continue
        alone = script(character) in UNSPACED
        if joins and not alone:
            found[-1] += character
        else:
            found.append(character)
        joins = not alone
    return found
