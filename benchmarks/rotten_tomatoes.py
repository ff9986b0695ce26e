"""Rotten Tomatoes: is a sentence of a film review positive?"""

from harness.benchmarks._movie_reviews import movie_reviews
from harness.task import Hub, Task

TASK = Task(
    name="rotten_tomatoes",
    source="Pang and Lee 2005, https://aclanthology.org/P05-1015",
    kind="classification",
    text=("text",),
    target="label",
    labels=("neg", "pos"),
    templates=("Review: {text}\nSentiment:", "{text}\nQuestion: Is this sentence positive or negative?\nAnswer:"),
    verbalizers=(" negative", " positive"),
    descriptions=("This is a negative film review.", "This is a positive film review."),
    metrics=("accuracy",),
    hub=Hub("cornell-movie-review-data/rotten_tomatoes", validation="validation", test="test"),
    asset=movie_reviews("rotten_tomatoes"),
    also_test=("imdb",),
    overlaps=("sst2",),
)
