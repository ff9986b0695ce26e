"""How a number with a unit is written."""

from typing import Literal

Unit = Literal["", "s", "B", "J", "g", "tokens/s"]
"""Seconds, bytes, joules, grams, tokens a second; counts and shares have none."""


def with_unit(value: float, unit: Unit = "") -> str:
    """Three significant digits with a decimal prefix (1.23M, 45.6kB, 0.0421).

    Seconds to a tenth (1,234.6s), those below 1 as milliseconds (123ms).
    """
    if unit == "s" and 0 < abs(value) < 1:
        return f"{1000 * value:.3g}ms"
    if unit == "s":
        return f"{value:,.1f}s"
    text = unit and (unit if len(unit) == 1 else f" {unit}")
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.3g}{prefix}{text}" if abs(scaled) < 1000 else f"{scaled:,.0f}{prefix}{text}"
    return f"{value:.0f}{text}" if unit == "B" or value == int(value) else f"{value:.3g}{text}"
