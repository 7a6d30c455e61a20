"""The runs below a directory, told by their headers alone: quick, and without numpy or h5py."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.errors import StoreError
from rescli.store.header import read_header
from rescli.store.owner import Holder, holder
from rescli.store.problems import PackedImages


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One file of the list. `error` says why it cannot be read (then `summary` is empty), else it is empty.

    `status` is that of the summary, except that a run that says "running" and has no process any more is "killed", one that has
    a process again is "running", a file of packed images is "images", and a file with an error "unreadable". `holder` is the
    process at work on it, if any.
    """

    path: Path
    summary: Mapping[str, Any]
    status: str
    error: str = ""
    holder: Holder | None = None


def number(summary: Mapping[str, Any], name: str) -> float | None:
    """A number of a summary; None where a store that another program wrote has something else there, or nothing."""
    value = summary.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def progress(summary: Mapping[str, Any]) -> str:
    """Iterations done, of how many; "?" for what the summary does not say."""
    done, total = number(summary, "iteration"), number(summary, "iterations")
    return "/".join("?" if value is None else f"{value:,}" for value in (done, total))


def list_runs(directory: Path | str) -> list[Listed]:
    """All `*.h5` files below `directory` (or that one file), sorted by path, and the folders that may not be entered.

    Raises `StoreError` if `directory` itself cannot be read.
    """
    return [look(path) for path in sorted(_stores(Path(directory)))]


def _stores(directory: Path) -> Iterator[Path]:
    """The files with a store's name (companions, `run.h5.prev` and so on, end otherwise), and what cannot be looked into."""
    try:
        if directory.is_file():
            yield directory
            return
        os.scandir(directory).close()
    except OSError as error:
        raise StoreError(
            f"{directory}: cannot be listed: {error.strerror}", "Give the folder that holds the runs."
        ) from error
    closed: list[OSError] = []
    for folder, _, names in os.walk(directory, onerror=closed.append):
        yield from (Path(folder, name) for name in names if name.endswith(".h5"))
    yield from (Path(error.filename) for error in closed if not isinstance(error, FileNotFoundError))


def look(path: Path) -> Listed:
    """How the run at `path` stands; whatever cannot be read is "unreadable", with the reason. Reads 4 KiB."""
    try:
        summary = read_header(path).summary
        at_work = holder(path)
        if at_work is None and summary.get("status") == "running":
            summary = read_header(path).summary  # it may have ended between the two looks: then this one says how
    except PackedImages:
        return Listed(path=path, summary={}, status="images")
    except StoreError as error:
        return Listed(path=path, summary={}, status="unreadable", error=error.message)
    status = str(summary.get("status", "unknown"))
    if at_work is not None and status in ("stopped", "diverged"):
        status = "running"  # it was resumed and has not written yet
    elif at_work is None and status == "running":
        status = "killed"
    return Listed(path=path, summary=summary, status=status, holder=at_work)
