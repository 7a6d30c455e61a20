"""The command line in processes of its own: signals, exit codes and files are real, but torch is imported only once.

A new interpreter needs some seconds to import torch. Here a server process imports it, and every process of a test is forked
from that server; `tests/cli/test_shell.py` uses /bin/sh and the installed program instead.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from rescli.store.header import read_header
from rescli.store.problems import MissingStore

PATIENCE = 180.0
"""Seconds after which something that should have happened never will."""

LONG = 10 * PATIENCE
"""The same for something that runs dozens of processes, one after the other, on a machine that others use, too."""

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["rescli.engine.train", "rescli.engine.evaluate", "rescli.engine.dry_run", "torch._dynamo", "torch._refs"]
)

SMALL = (
    *("train", "cifar", "--dataset", "synthetic", "--depth", "8", "--batch-size", "16", "--precision", "fp32"),
    *("--threads", "1", "--iterations", "60", "--log-every", "5", "--eval-every", "40", "--checkpoint-every", "0.1"),
)
"""A run that takes two seconds, evaluates twice, and writes checkpoints all the time."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended; `code` is negative where a signal ended it."""

    code: int
    out: str
    err: str


class Process:
    """`rescli ARGUMENTS` in `folder`. A context manager: no process is left behind."""

    def __init__(
        self, *arguments: str, folder: Path, terminal: str | None = None, largest_file: int | None = None
    ) -> None:
        self._folder = folder
        self._name = f"process{time.monotonic_ns()}"
        self._terminal = terminal
        self._process = _SERVER.Process(
            target=_run, args=(arguments, folder, self._name, terminal, largest_file), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    @property
    def err(self) -> str:
        """What it has written to stderr so far; "" where that is a terminal."""
        path = self._folder / f"{self._name}.err"
        return path.read_text() if path.exists() else ""

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for its end."""
        self._process.join(PATIENCE)
        code = self._process.exitcode
        assert code is not None, f"still running after {PATIENCE} s: {self.err}"
        return Ended(code, (self._folder / f"{self._name}.out").read_text(), self.err)

    def wait_for_progress(self, path: Path) -> int:
        """Wait until its run store shows that it trains; returns the stored iteration."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if (iteration := stored_iteration(path)) > 0:
                return iteration
            assert self.running, f"ended before its first checkpoint: {self.err}"
            time.sleep(0.005)
        raise AssertionError(f"no progress in {PATIENCE} s: {self.err}")


def stored_iteration(path: Path) -> int:
    """Of the store at `path`; 0 if there is none."""
    try:
        iteration = read_header(path).summary["iteration"]
    except MissingStore:
        return 0
    assert isinstance(iteration, int)
    return iteration


class Job:
    """`rescli ARGUMENTS` in a new interpreter, with the processes that it begins. A context manager: none is left behind."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "rescli", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(psutil.NoSuchProcess):
            for one in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.communicate()

    def wait(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)

    def wait_for_progress(self, path: Path, beyond: int = 0) -> int:
        """Wait until a run store shows an iteration above this one; returns it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if (iteration := stored_iteration(path)) > beyond:
                return iteration
            assert self.process.poll() is None, self.wait()
            time.sleep(0.05)
        raise AssertionError(f"no progress in {PATIENCE} s")


def run(*arguments: str, folder: Path, largest_file: int | None = None) -> Ended:
    """Run `rescli ARGUMENTS` to its end."""
    with Process(*arguments, folder=folder, largest_file=largest_file) as process:
        return process.wait()


def _run(arguments: tuple[str, ...], folder: Path, name: str, terminal: str | None, largest_file: int | None) -> None:
    """The life of a forked process."""
    os.chdir(folder)
    for number, suffix in ((1, "out"), (2, "err")):
        path = terminal if terminal and number == 2 else f"{name}.{suffix}"
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY, 0o644), number)
    for variable in [variable for variable in os.environ if variable.startswith("RESCLI_")]:
        del os.environ[variable]
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = ["rescli", *arguments]
    from rescli.cli import main

    main()


def call(function: Callable[..., None], *arguments: object) -> None:
    """Call a function in a process of its own, to its end."""
    process = _SERVER.Process(target=function, args=arguments)
    process.start()
    process.join(LONG)
    if process.is_alive():
        process.kill()
    process.join()
    assert process.exitcode == 0, f"{process.exitcode} within {LONG} s"
