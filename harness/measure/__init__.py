"""Measurements: time, memory, parameters, environment."""
