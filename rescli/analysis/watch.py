"""Following a run from another process, by reading its store whenever it was replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.store.header import read_header
from rescli.store.listing import Listed, list_runs, number, progress
from rescli.store.problems import check_kind


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A run as its store and its process are at one time. Errors in %."""

    listed: Listed

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {**self.listed.summary, "path": str(self.listed.path), "status": self.listed.status}

    def line(self) -> str:
        """In one line."""
        summary = self.listed.summary
        errors = [
            f"{name} {error:.2f} %"
            for name, key in (
                ("train error (last row)", "train_error"),
                ("test error", "test_error"),
                ("val error", "val_error"),
            )
            if (error := number(summary, key)) is not None
        ]
        return "  ".join([progress(summary), *errors, self.listed.status])

    @property
    def ended(self) -> bool:
        """Whether nothing more will come by itself."""
        return self.listed.status != "running"


def follow(path: Path, *, interval: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[Moment]:
    """The run now, and again whenever something has changed, until it has ended. Raises `StoreError` if it cannot be read.

    Reads headers only: `interval` seconds apart it costs the training nothing.
    """
    before: dict[str, Any] | None = None
    while True:
        check_kind(path, read_header(path).summary.get("kind"))
        moment = Moment(listed=list_runs(path)[0])
        now = moment.to_dict()
        if now != before:
            yield moment
        before = now
        if moment.ended:
            return
        sleep(interval)
