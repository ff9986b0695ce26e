"""Plug-ins that change how a run is trained."""
