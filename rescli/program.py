"""How rescli begins itself once more: what it is called, and where it finds its modules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAM = (sys.executable, "-m", "rescli")
"""What a shell knows as `rescli`."""


def surroundings() -> Mapping[str, str]:
    """Variables for a process of `PROGRAM`: it is to find the modules that this one has found, and no others.

    Python's `-m` looks into the current folder first, where people keep a `random.py` of their own; the command `rescli` does
    not. Before Python 3.11 nothing tells it not to.
    """
    first = sys.path[0] if sys.path else ""
    try:
        looks_here = not first or Path(first) == Path.cwd()
    except FileNotFoundError:  # somebody removed the current folder
        looks_here = False
    return {} if looks_here else {"PYTHONSAFEPATH": "1"}
