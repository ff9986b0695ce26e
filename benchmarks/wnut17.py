"""WNUT-17: emerging and rare names in social media, tagged word by word."""

from harness.task import Hub, Task

TYPES = ("corporation", "creative-work", "group", "location", "person", "product")

TASK = Task(
    name="wnut17",
    source="Derczynski et al. 2017, https://aclanthology.org/W17-4418",
    kind="token_classification",
    text=("tokens",),
    target="ner_tags",
    labels=("O", *(f"{place}-{kind}" for kind in TYPES for place in "BI")),
    templates=(
        f"Text: {{tokens}}\nNames ({', '.join(TYPES)}):",
        f"{{tokens}}\nList the names in this text, each with its type ({', '.join(TYPES)}):",
    ),
    metrics=("span_f1",),
    hub=Hub("leondz/wnut_17", validation="validation", test="test"),
)
