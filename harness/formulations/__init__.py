"""Evaluation: how a base answers a task, and how the answers are judged."""
