"""Intervals, paired tests, resampling, fronts: numbers from numbers."""
