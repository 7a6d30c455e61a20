"""A run as a process of its own: begun, told to stop, ended."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from rescli.errors import StoreError
from rescli.program import PROGRAM, surroundings
from rescli.reproduce.places import Place
from rescli.reproduce.plan import Planned
from rescli.store.lock import IN_USE
from rescli.store.problems import way_out, why

SAID = 2000
"""Bytes at the end of a log in which a process's last words are looked for."""


@dataclass(eq=False, kw_only=True)
class Child:
    """A process that trains `run`; `began` by the monotonic clock, `start` is where in the log its words begin."""

    run: Planned
    place: Place
    process: subprocess.Popen[bytes]
    began: float
    start: int

    def tell(self, number: int) -> None:
        """Pass a signal on."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def last_words(self) -> str:
        """The error that it ended with, in one line; "" where it said nothing, or somebody took the log away."""
        lines: list[str] = []
        with suppress(OSError), self.run.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self.start, end - SAID))
            lines = log.read().decode(errors="replace").splitlines()
        for line in reversed(deque(lines, maxlen=20)):
            for label in ("Error: ", "Stopped: "):
                if line.startswith(label):
                    return line.removeprefix(label)
        return lines[-1] if lines else ""

    def locked_out(self) -> bool:
        """Whether it ended because another process had the lock of the run."""
        return self.last_words().startswith(f"{self.run.path}: {IN_USE}")


def begin(run: Planned, place: Place, *, new: bool) -> Child:
    """Start the process of a run. What it says is appended to the run's log. Raises `StoreError` where that cannot be written.

    It has a session of its own: a Ctrl-C at the terminal would else reach it twice, and the second one leaves at once.
    """
    command = [*PROGRAM, *run.arguments(threads=place.threads if new else None)]
    try:
        with run.log.open("ab", buffering=0) as log:
            log.write(f"$ {shlex.join(['rescli', *command[len(PROGRAM) :]])}\n".encode())
            start = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **surroundings(), **place.variables},
                start_new_session=True,
            )
    except OSError as error:
        raise StoreError(
            f"{run.log}: cannot be written, or its process not be started: {why(error)}",
            way_out(error) or "Name another folder with --out.",
        ) from error
    return Child(run=run, place=place, process=process, began=time.monotonic(), start=start)


def died(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
