"""Grids of runs: the file, the plan, what would be unfair about it."""
