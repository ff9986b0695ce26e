"""IMDb: is a film review positive?"""

from harness.benchmarks._movie_reviews import movie_reviews
from harness.task import Hub, Task

TASK = Task(
    name="imdb",
    source="Maas et al. 2011, https://aclanthology.org/P11-1015",
    kind="classification",
    text=("text",),
    target="label",
    labels=("neg", "pos"),
    templates=("Review: {text}\nSentiment:", "{text}\nQuestion: Is this review positive or negative?\nAnswer:"),
    verbalizers=(" negative", " positive"),
    descriptions=("This is a negative film review.", "This is a positive film review."),
    metrics=("accuracy",),
    hub=Hub("stanfordnlp/imdb", config="plain_text", test="test"),
    asset=movie_reviews("imdb"),
    also_test=("rotten_tomatoes",),
    row=lambda row: {**row, "text": row["text"].replace("<br />", " ")},
)
