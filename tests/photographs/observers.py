"""Observers of runs on photographs: one stops them, one keeps what it is told."""

from __future__ import annotations

import os
import signal

from rescli.engine.observer import Silent


class StopsTraining(Silent):
    """Sends SIGTERM to this process after an iteration; the images of the mean, which are counted before, do not count."""

    def __init__(self, iteration: int) -> None:
        self._iteration, self._training = iteration, False

    def begin(self, iteration: int, iterations: int, batch: int) -> None:
        self._training = batch > 1

    def step(self, iteration: int) -> None:
        if self._training and iteration == self._iteration:
            os.kill(os.getpid(), signal.SIGTERM)


class Notes(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)
