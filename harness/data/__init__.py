"""Data: sources, splits, fingerprints."""
