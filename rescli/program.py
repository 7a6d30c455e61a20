"""How rescli was begun and begins itself once more: its command line, its modules, and the job it is one process of."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from rescli.errors import UsageError

PROGRAM = (sys.executable, "-m", "rescli")
"""What a shell knows as `rescli`."""


def command_line() -> str:
    """How this process was begun, as it would be typed again."""
    name = Path(sys.argv[0] or "python").name
    return shlex.join([*(("python", "-m", "rescli") if name == "__main__.py" else (name,)), *sys.argv[1:]])


def processes() -> int:
    """How many processes the job of this one has, as `torchrun` or --devices says it in the environment; 1 without them.

    Raises `UsageError` where a batch queue, say, has left something else there.
    """
    if "RANK" not in os.environ:
        return 1
    for name in ("RANK", "WORLD_SIZE"):
        if not os.environ.get(name, "1").isdecimal():
            raise UsageError(
                f"{name} is {os.environ[name]!r} in the environment, where torchrun puts a number",
                "Unset RANK, or start the command with torchrun.",
            )
    return int(os.environ.get("WORLD_SIZE", "1"))


def in_a_job() -> bool:
    """Whether this process is one of several that `torchrun`, or --devices, has started. Raises as `processes` does."""
    return processes() != 1


def first_of_job() -> bool:
    """Whether this is the process that does what is done once for all of a job; a process by itself is."""
    return not in_a_job() or os.environ.get("RANK") == "0"


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
