"""STS-B: how similar are two sentences, from 0 to 5? Part of GLUE."""

from harness.benchmarks._glue import glue
from harness.task import Task

TASK = Task(
    name="stsb",
    source="Cer et al. 2017, https://aclanthology.org/S17-2001",
    kind="regression",
    text=("sentence1", "sentence2"),
    target="label",
    metrics=("spearman", "pearson"),
    value_range=(0.0, 5.0),
    hub=glue("stsb", test="test"),
)
