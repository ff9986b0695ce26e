"""Comparison of records: statistics, tables, plots, report. Nothing here imports torch."""
