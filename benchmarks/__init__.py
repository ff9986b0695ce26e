"""Tasks: one file each, imported as harness.benchmarks.<name>."""
