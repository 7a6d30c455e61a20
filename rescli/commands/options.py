"""Options that several commands share, defined once."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from rescli.console import settings


def _set_json(value: bool) -> bool:
    settings.json = value
    return value


def _set_debug(value: bool) -> bool:
    settings.debug = value
    return value


class Precision(str, Enum):
    """Of the convolutions' arithmetic."""

    auto = "auto"
    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"


class Shortcut(str, Enum):
    """Sec. 3.3."""

    A = "A"
    B = "B"
    C = "C"


class Split(str, Enum):
    """Which images."""

    test = "test"
    train = "train"
    val = "val"


class MomentumForm(str, Enum):
    """How momentum meets a change of the learning rate."""

    pytorch = "pytorch"
    caffe = "caffe"


class Decay(str, Enum):
    """Which parameters decay."""

    all = "all"
    conv = "conv"


def _number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):  # neither below a least value nor above a largest one
        raise typer.BadParameter(f"{value} is not a number to work with.")
    return value


def _number_or_inf(value: Any) -> Any:
    return value if value == math.inf else _number(value)


def option(
    *names: str, help: str, default: str | None = None, or_inf: bool = False, callback: Any = None, **rest: Any
) -> Any:
    """An option of a command. `default` says in words what an option does that is not given.

    One with a `min` or `max` takes no nan, and infinity only where it makes sense: `or_inf`.
    """
    if callback is None and ("min" in rest or "max" in rest):
        callback = _number_or_inf if or_inf else _number
    rest["callback"] = callback
    # The variables follow one rule (RESCLI_COMMAND_OPTION), stated once: on every line they would hide the help.
    return typer.Option(*names, help=help, show_envvar=False, show_default=default or True, **rest)


Json = Annotated[bool, option("--json", help="One JSON document on stdout.", callback=_set_json, is_eager=True)]
Debug = Annotated[bool, option("--debug", help="Show the traceback of an error.", callback=_set_debug, is_eager=True)]
Data = Annotated[
    Path | None,
    option(help="Folder that holds the data sets.", default="RESCLI_DATA, then a per-user cache"),
]
Backend = Annotated[str, option(help="auto, cpu, cuda, or another: see `rescli backends`.")]
MOST_THREADS = 1024
"""More than any processor has; beyond some thousands the system gives no more, and OpenMP takes the process down with it."""

Threads = Annotated[int | None, option(min=1, max=MOST_THREADS, help="Processor threads.", default="PyTorch's choice")]
Run = Annotated[Path, typer.Argument(metavar="RUN.h5", help="A run store.", show_default=False)]


def plain(value: Any) -> Any:
    """An option's value without the enum that lists the choices; a sequence as a tuple."""
    if isinstance(value, Enum):
        return value.value
    return tuple(value) if isinstance(value, (list, tuple)) else value
