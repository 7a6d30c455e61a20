"""`--devices N`: one run in N processes of this machine, and one exit code for all of them."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from rescli.backends.launch import Ending, launch
from rescli.engine.stopping import ECHO
from rescli.errors import Interrupted, RescliError, StoppedEarly, StoreError
from rescli.store.reader import read_run


def train_on(devices: int, arguments: Sequence[str], path: Path, *, threads: int | None = None) -> None:
    """Run `rescli ARGUMENTS` in `devices` processes that share the run at `path`, and wait for them.

    Raises a `RescliError` with the exit code of the process that failed first, who has said itself what was wrong.
    """
    before = _status(path)
    ending = launch(devices, arguments, threads=threads, echo=ECHO)
    if ending.signal is not None and (error := _stopped(ending.signal, path, before)) is not None:
        raise error
    if ending.rank is not None:
        raise _failed(ending)


def _status(path: Path) -> str | None:
    try:
        return read_run(path, tensors=False).status
    except StoreError:
        return None


def _stopped(number: int, path: Path, before: str | None) -> RescliError | None:
    """After a signal the processes had their time to write a checkpoint, and the first one has said so.

    None where the run has come to its end meanwhile: the signal found the last store being written. `before` is how it stood.
    """
    name = signal.Signals(number).name
    kind = Interrupted if number == signal.SIGINT else StoppedEarly
    status = _status(path)
    if status == "finished":
        return None if before != status else kind(f"{name}; {path} was finished before, and is as it was")
    if status is None:
        return kind(f"{name} before a checkpoint could be written to {path}", "The same command begins again.")
    if status == "running":
        return kind(
            f"{name}, and no checkpoint since: {path} holds an earlier one", "The same command with --resume goes on."
        )
    if status != "stopped":
        return RescliError(f"{name}; {path} holds a run that has {status}")
    error = kind(f"{name}, with a checkpoint in {path}", "The same command with --resume goes on.")
    error.told = True
    return error


def _failed(ending: Ending) -> RescliError:
    if ending.code < 0:
        return RescliError(
            f"process {ending.rank} was ended by {signal.Signals(-ending.code).name}",
            "The store has the last checkpoint: the same command with --resume goes on.",
        )
    said = f"process {ending.rank} failed with exit code {ending.code}"
    error = RescliError(ending.reason.get("error", said), ending.reason.get("hint", ""))
    error.exit_code = ending.code  # type: ignore[misc]
    error.told = True
    return error
