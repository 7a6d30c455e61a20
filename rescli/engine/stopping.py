"""Signals: finish the step, write the checkpoint, leave."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

from rescli.errors import Interrupted, RescliError, StoppedEarly

ECHO = 0.1
"""Seconds. Nobody presses Ctrl-C twice so fast."""


class StopSignals:
    """While entered, SIGTERM, SIGUSR1, SIGHUP and Ctrl-C ask for a stop; a second Ctrl-C raises KeyboardInterrupt at once.

    Programs that start others, `timeout` in the foreground among them, pass on a Ctrl-C that has reached those already: one
    that comes within `ECHO` seconds is the same. Batch systems send SIGTERM or SIGUSR1 shortly before a job's time is up, a
    lost connection sends SIGHUP. A signal that is ignored, as `nohup` has it, stays ignored.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.count = 0
        """How many have come: who has processes of its own passes each one on."""
        self._interrupted: float | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            now = time.monotonic()
            if self._interrupted is not None and now - self._interrupted < ECHO:
                return
            if self._interrupted is not None:
                raise KeyboardInterrupt
            self._interrupted = now
        self.count += 1
        self.received = self.received or signal.Signals(number)

    def before(self, what: str) -> RescliError:
        """What to raise where nothing has been written yet."""
        received = self.received or signal.SIGTERM  # another process of the job was told
        kind = Interrupted if received is signal.SIGINT else StoppedEarly
        return kind(f"{received.name} while {what}, before the first iteration", "The same command begins again.")

    def error(self, path: str, iteration: int) -> RescliError:
        """What to raise after the checkpoint was written."""
        received = self.received or signal.SIGTERM  # another process of the job was told
        kind = Interrupted if received is signal.SIGINT else StoppedEarly
        return kind(
            f"{received.name} after iteration {iteration}, with a checkpoint in {path}",
            "The same command with --resume goes on.",
        )
