"""Plug-ins that measure."""
