"""Methods: one file each, imported as harness.methods.<name>."""
