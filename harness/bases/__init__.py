"""Bases: load, quantize, look inside."""
