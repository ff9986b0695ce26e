"""Cells as tables: Markdown, CSV, LaTeX, and the page."""
