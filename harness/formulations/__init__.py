"""Formulations, one a file: how a base answers a task. The modules with an underscore do their work."""
