"""Adding the results of an analysis to a run store: a new file in place of the old one, as everything here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from rescli.store.encode import encode
from rescli.store.lock import RunLock
from rescli.store.reader import read_run
from rescli.store.replace import replace


def save_analysis(path: Path, name: str, results: Mapping[str, Any]) -> None:
    """Put `results` (see `RunRecord.analysis`) into the run at `path` as /analysis/NAME, over earlier ones of that name.

    A slash in the name is a group within a group. Everything else stays, bit for bit; the store as it was becomes the previous
    generation. Raises `StoreError` when it cannot be read or written, or when another process is at work on the run.
    """
    with RunLock(path):
        record = read_run(path)
        replace(path, encode(changed(record, analysis=_with(record.analysis, name.split("/"), results))))


def _with(tree: Mapping[str, Any], names: list[str], results: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` with `results` at the place that `names` lead to."""
    first, *rest = names
    below = tree.get(first)
    inside = _with(below if isinstance(below, Mapping) else {}, rest, results) if rest else dict(results)
    return {**tree, first: inside}
