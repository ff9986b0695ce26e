"""Plug-ins that run jobs."""
