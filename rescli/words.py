"""What whoever writes text says alike: the console, pages, logs."""

from __future__ import annotations

from collections.abc import Iterable


def duration(seconds: float) -> str:
    """As people say it: 45 s, 12:07 or 3:12:07."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def markdown_row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
