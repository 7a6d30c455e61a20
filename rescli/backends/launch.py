"""The same command in several processes of this machine, under PyTorch's own launcher (what `torchrun` runs)."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import psutil
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

from rescli.errors import REASONS
from rescli.program import PROGRAM, surroundings

PATIENCE = 600
"""Seconds. Batch systems end a job sooner by themselves."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the processes ended: all well, or by a signal to the launcher, or with the first failure of one of them.

    `code` is that one's exit code, or minus the signal that ended it; `reason` is what it said was wrong, if anything.
    """

    signal: int | None = None
    rank: int | None = None
    code: int = 0
    reason: Mapping[str, Any] = field(default_factory=dict)


def launch(devices: int, arguments: Sequence[str], *, threads: int | None = None, echo: float = 0.0) -> Ending:
    """Run `rescli ARGUMENTS` in `devices` processes and wait for them. A second Ctrl-C kills them.

    One that comes within `echo` seconds of the first is the same.
    """
    # The launcher's own log repeats in many lines what a process says in two.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads or max(1, len(os.sched_getaffinity(0)) // devices)))
    os.environ.update(surroundings())
    # After a signal a step and a checkpoint may take longer than the 30 seconds that the launcher would wait before it kills.
    # Versions of PyTorch that do not know this variable (2.11 does not) wait no longer all the same.
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(PATIENCE))
    with TemporaryDirectory(prefix="rescli-") as reasons:
        os.environ[REASONS] = reasons
        try:
            with _passing_on(signal.SIGUSR1), _second_ctrl_c_kills(echo):
                run(parse_args(["--standalone", f"--nproc-per-node={devices}", *PROGRAM[1:], *arguments]))  # type: ignore[no-untyped-call]
        except SignalException as error:
            return Ending(signal=int(error.sigval))
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            return Ending(rank=rank, code=failure.exitcode, reason=_reason(Path(reasons, str(rank))))
        finally:
            del os.environ[REASONS]
    return Ending()


def _reason(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it had no time to write it
        return {}
    return found


@contextmanager
def _passing_on(number: signal.Signals) -> Iterator[None]:
    """Have the launcher pass this signal on, too.

    It does so with the signals that end a program, and with this one only where a newer PyTorch was asked to; without, the
    launcher would die of it and leave its processes behind.
    """

    def end(received: int, _: FrameType | None) -> None:
        sigval = signal.Signals(received)
        raise SignalException(f"{sigval.name} for the launcher", sigval=sigval)

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _second_ctrl_c_kills(echo: float) -> Iterator[None]:
    """PyTorch's launcher, which handles the signals meanwhile, would give the processes all their time once more.

    Whoever handles a signal, Python also writes its number into a file that was set for that.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(reading, echo), name="rescli-second-ctrl-c", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)  # which ends the thread
        listener.join()
        os.close(reading)


def _listen(reading: int, echo: float) -> None:
    first: float | None = None
    while number := os.read(reading, 1):
        if number[0] != signal.SIGINT:
            continue
        now = time.monotonic()
        if first is None:
            first = now
        elif now - first >= echo:
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
