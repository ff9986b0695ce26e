"""MNLI on genres that its training set lacks; part of GLUE."""

from harness.benchmarks._mnli import mnli

TASK = mnli("mnli_mismatched", "mismatched")
