"""What the loop tells whoever is watching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Observer(Protocol):
    """Called by the loop, in its thread: must be quick."""

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Training starts, or goes on, at `iteration`."""

    def step(self, iteration: int) -> None:
        """`iteration` iterations are done (the device may still be at work on the last)."""

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """A row was added to the metrics of `split`."""

    def note(self, text: str) -> None:
        """Something that a user would like to know."""

    def end(self) -> None:
        """The loop is left, for whatever reason."""


class Silent:
    """Watches nothing."""

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        """Nothing."""

    def step(self, iteration: int) -> None:
        """Nothing."""

    def row(self, split: str, row: Mapping[str, float]) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
