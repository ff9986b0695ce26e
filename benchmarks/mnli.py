"""MNLI: does a premise entail or contradict a hypothesis? Genres of the training set; part of GLUE."""

from harness.benchmarks._mnli import mnli

TASK = mnli("mnli", "matched", also_test=("mnli_mismatched", "rte"), label_map={"rte": (0, 1, 1)})
