"""A few rows of every data set in the exact schema that the hub gives it, written as a mirror of the hub.

The label names here are the hub's, written down a second time: a task that has others fails its tests.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, Sequence, Value

TEXT, INDEX, YES_NO, SCORE = Value("string"), Value("int32"), Value("bool"), Value("float32")
LETTERED = {"choices": {"text": Sequence(TEXT), "label": Sequence(TEXT)}, "answerKey": TEXT}
GLUE = "nyu-mll/glue"
ENTAILMENT = ClassLabel(names=["entailment", "not_entailment"])
MNLI = {
    "premise": TEXT,
    "hypothesis": TEXT,
    "label": ClassLabel(names=["entailment", "neutral", "contradiction"]),
    "idx": INDEX,
}
PAIR = {"sentence1": TEXT, "sentence2": TEXT}
TREC_FINE = (
    "ABBR:abb ABBR:exp DESC:def DESC:desc DESC:manner DESC:reason ENTY:animal ENTY:body ENTY:color ENTY:cremat "
    "ENTY:currency ENTY:dismed ENTY:event ENTY:food ENTY:instru ENTY:lang ENTY:letter ENTY:other ENTY:plant "
    "ENTY:product ENTY:religion ENTY:sport ENTY:substance ENTY:symbol ENTY:techmeth ENTY:termeq ENTY:veh ENTY:word "
    "HUM:desc HUM:gr HUM:ind HUM:title LOC:city LOC:country LOC:mount LOC:other LOC:state NUM:code NUM:count NUM:date "
    "NUM:dist NUM:money NUM:ord NUM:other NUM:perc NUM:period NUM:speed NUM:temp NUM:volsize NUM:weight"
)
WNUT = ["corporation", "creative-work", "group", "location", "person", "product"]
SCHEMAS: dict[tuple[str, str], dict[str, Any]] = {
    (GLUE, "cola"): {"sentence": TEXT, "label": ClassLabel(names=["unacceptable", "acceptable"]), "idx": INDEX},
    (GLUE, "sst2"): {"sentence": TEXT, "label": ClassLabel(names=["negative", "positive"]), "idx": INDEX},
    (GLUE, "mrpc"): {**PAIR, "label": ClassLabel(names=["not_equivalent", "equivalent"]), "idx": INDEX},
    (GLUE, "qqp"): {
        "question1": TEXT,
        "question2": TEXT,
        "label": ClassLabel(names=["not_duplicate", "duplicate"]),
        "idx": INDEX,
    },
    (GLUE, "stsb"): {**PAIR, "label": SCORE, "idx": INDEX},
    (GLUE, "mnli"): MNLI,
    (GLUE, "qnli"): {"question": TEXT, "sentence": TEXT, "label": ENTAILMENT, "idx": INDEX},
    (GLUE, "rte"): {**PAIR, "label": ENTAILMENT, "idx": INDEX},
    (GLUE, "wnli"): {**PAIR, "label": ClassLabel(names=["not_entailment", "entailment"]), "idx": INDEX},
    ("cornell-movie-review-data/rotten_tomatoes", "default"): {"text": TEXT, "label": ClassLabel(names=["neg", "pos"])},
    ("stanfordnlp/imdb", "plain_text"): {"text": TEXT, "label": ClassLabel(names=["neg", "pos"])},
    ("SetFit/bbc-news", "default"): {"text": TEXT, "label": Value("int64"), "label_text": TEXT},
    ("ucirvine/sms_spam", "plain_text"): {"sms": TEXT, "label": ClassLabel(names=["ham", "spam"])},
    ("CogComp/trec", "default"): {
        "text": TEXT,
        "coarse_label": ClassLabel(names=["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"]),
        "fine_label": ClassLabel(names=TREC_FINE.split()),
    },
    ("google/boolq", "default"): {"question": TEXT, "answer": YES_NO, "passage": TEXT},
    ("fancyzhx/ag_news", "default"): {
        "text": TEXT,
        "label": ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"]),
    },
    ("PolyAI/banking77", "default"): {"text": TEXT, "label": Value("int64")},
    ("baber/piqa", "default"): {"goal": TEXT, "sol1": TEXT, "sol2": TEXT, "label": Value("int64")},
    ("Rowan/hellaswag", "default"): {
        "ind": INDEX,
        **dict.fromkeys(("activity_label", "ctx_a", "ctx_b", "ctx"), TEXT),
        "endings": Sequence(TEXT),
        **dict.fromkeys(("source_id", "split", "split_type", "label"), TEXT),
    },
    ("allenai/ai2_arc", "ARC-Easy"): {"id": TEXT, "question": TEXT, **LETTERED},
    ("allenai/ai2_arc", "ARC-Challenge"): {"id": TEXT, "question": TEXT, **LETTERED},
    ("allenai/openbookqa", "main"): {"id": TEXT, "question_stem": TEXT, **LETTERED},
    ("tau/commonsense_qa", "default"): {"id": TEXT, "question": TEXT, "question_concept": TEXT, **LETTERED},
    ("leondz/wnut_17", "default"): {
        "id": TEXT,
        "tokens": Sequence(TEXT),
        "ner_tags": Sequence(ClassLabel(names=["O", *(f"{b}-{t}" for t, b in product(WNUT, "BI"))])),
    },
    ("openai/gsm8k", "main"): {"question": TEXT, "answer": TEXT},
    ("bentrevett/multi30k", "default"): {"en": TEXT, "de": TEXT},
    ("EdinburghNLP/xsum", "default"): {"document": TEXT, "summary": TEXT, "id": TEXT},
}
TARGETS = ("label", "label_text", "coarse_label", "fine_label", "answer", "answerKey", "ner_tags", "de", "summary")
BBC = ["business", "entertainment", "politics", "sport", "tech"]


@dataclass(frozen=True)
class Mirror:
    """A mirror folder, and a second one whose rows differ from the first in their targets only."""

    root: Path
    other_targets: Path


def write_mirror(root: Path, shift: int = 0, n_rows: int = 40) -> Path:
    """Every data set with all the splits that any task reads; ``shift`` changes the targets and nothing else."""
    for (hub, config), schema in SCHEMAS.items():
        for split in ("train", "validation", "test", "validation_matched", "validation_mismatched"):
            rows = [dict(_row(schema, config, split, number, shift)) for number in range(n_rows)]
            write_split(root / hub / config / f"{split}.parquet", rows, schema)
    return root


def write_split(file: Path, rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> None:
    """One split, with the features in the metadata as the hub's files have them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    features = Features(schema)
    metadata = {"huggingface": json.dumps({"info": {"features": features.to_dict()}})}
    table = pa.Table.from_pylist(rows, schema=features.arrow_schema).replace_schema_metadata(metadata)
    pq.write_table(table, file)


def _row(schema: Mapping[str, Any], config: str, split: str, number: int, shift: int) -> Iterator[tuple[str, Any]]:
    for column, feature in schema.items():
        yield column, _value(column, feature, f"{config} {split} {number}", number + shift * (column in TARGETS))


def _value(column: str, feature: Any, place: str, number: int) -> Any:
    special = {
        "answerKey": "ABCD"[number % 4],
        "choices": {"text": [f"choice {letter} of {place}" for letter in "ABCDE"], "label": list("ABCDE")},
        "endings": [f"ending {n} [step] of {place}" for n in range(4)],
        "tokens": ["Anna", "of", *place.split()],
        "ner_tags": [9, 0, 2 * (number % 5) + 1, *[0] * (len(place.split()) - 1)],
        "label_text": BBC[number % 5],
    }
    if column in special:
        return special[column]
    if isinstance(feature, ClassLabel):
        return number % feature.num_classes
    if feature == SCORE:
        return number % 26 / 5
    if feature == YES_NO:
        return number % 2 == 1
    if feature == TEXT and column == "label":
        return str(number % 4)
    if feature == TEXT and column == "answer":
        return f"First {number}, then 1,{number:03}.\n#### 1,{number:03}"
    if column in ("activity_label", "ctx_a", "ctx_b"):
        return f"{column} of {place}"  # parts of one text: no blanks around them
    if feature == TEXT:
        return f" {column} in {place}{number if column in TARGETS else ''} "
    return number % 2
