"""Figures as files: the formats that are written, and bytes that are equal for equal figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rescli.errors import UsageError

Format: TypeAlias = Literal["svg", "pdf", "png"]
FORMATS: tuple[Format, ...] = ("svg", "pdf", "png")


def format_of(path: Path) -> Format:
    """The format that a file's name asks for. Raises `UsageError` for any other."""
    for known in FORMATS:
        if path.suffix.lower() == f".{known}":
            return known
    raise UsageError(
        f"{path}: {path.suffix or 'no ending'} is no format of figures", f"Known here: {', '.join(FORMATS)}."
    )


def file_bytes(figure: Any, format: Format, *, dpi: int) -> bytes:  # noqa: A002 - the word for it
    """A figure of matplotlib's as a file without a date. `dpi` are the dots an inch of a png."""
    file = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    figure.savefig(file, format=format, metadata=undated, dpi=dpi)
    return file.getvalue()
