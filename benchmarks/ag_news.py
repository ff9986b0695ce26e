"""AG News: which of four sections is a news item from?"""

from harness.task import Hub, Task

TASK = Task(
    name="ag_news",
    source="Zhang et al. 2015, https://arxiv.org/abs/1509.01626",
    kind="classification",
    text=("text",),
    target="label",
    labels=("World", "Sports", "Business", "Sci/Tech"),
    templates=("Article: {text}\nAnswer:", "{text}\nQuestion: Which section of the news is this from?\nAnswer:"),
    verbalizers=(" World", " Sports", " Business", " Technology"),
    descriptions=(
        "This news item is about world politics.",
        "This news item is about sports.",
        "This news item is about business.",
        "This news item is about science and technology.",
    ),
    metrics=("accuracy", "macro_f1"),
    hub=Hub("fancyzhx/ag_news", test="test"),
)
