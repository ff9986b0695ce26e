"""Bases: load, quantize, look inside. ``info`` and ``package`` need no torch; ``load`` and ``anatomy`` do."""
