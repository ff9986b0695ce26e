"""Plug-ins that judge answers."""
