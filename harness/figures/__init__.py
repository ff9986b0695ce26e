"""Plug-ins that draw."""
