"""The command line within this process, and run stores that several tests look at."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rescli import cli, console
from tests.cli.photographs import photographs, weights
from tests.cli.processes import SMALL, Process, run

__all__ = ["photographs", "weights"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)  # what a command changes for its whole process


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Rescli = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the developer's, and no data sets of theirs."""
    for name in [name for name in os.environ if name.startswith("RESCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(console, "settings", console.Settings())


@pytest.fixture
def rescli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rescli:
    """`rescli ARGUMENTS` in this process; for whatever needs no training."""

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["rescli", *map(str, arguments)])
        capsys.readouterr()
        before = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            with pytest.raises(SystemExit) as left:
                cli.main()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        out, err = capsys.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Result(code, out, err)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; nobody may change it."""
    folder = tmp_path_factory.mktemp("finished")
    ended = run(*SMALL, "--out", "run.h5", folder=folder)
    assert ended.code == 0, ended.err
    return folder / "run.h5"


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, stopped by SIGTERM on its way; nobody may change it."""
    folder = tmp_path_factory.mktemp("stopped")
    path = folder / "run.h5"
    with Process(*SMALL, "--out", "run.h5", folder=folder) as process:
        process.wait_for_progress(path)
        process.send(signal.SIGTERM)
        ended = process.wait()
    assert ended.code == 75, ended.err
    return path
