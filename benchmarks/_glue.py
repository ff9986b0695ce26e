"""GLUE on the hub (Wang et al. 2019, https://arxiv.org/abs/1804.07461): the official test sets have no labels."""

from harness.task import Hub


def glue(config: str, validation: str = "validation", test: str | None = None) -> Hub:
    """One of GLUE's tasks; its validation is the test here, unless a labelled test is named."""
    return Hub("nyu-mll/glue", config=config, validation=validation, test=test)
