"""Multi30k: captions of pictures, from English to German."""

from harness.task import Hub, Task

TASK = Task(
    name="multi30k_en_de",
    source="Elliott et al. 2016, https://aclanthology.org/W16-3210",
    kind="generation",
    text=("en",),
    target="de",
    templates=("English: {en}\nGerman:", "Translate to German: {en}\nTranslation:"),
    metrics=("bleu", "chrf"),
    hub=Hub("bentrevett/multi30k", validation="validation", test="test"),
    max_new_tokens=64,
)
