"""The command line within this process, and studies whose runs are trained by a stand-in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from rescli.reproduce import children, runner
from tests.cli.conftest import _nothing_set, rescli

__all__ = ["_nothing_set", "rescli"]

Trainer = Callable[..., None]


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """Runs are trained by `tests.reproduce.trainer`; called, it says what a run should do otherwise: name="fail"."""
    monkeypatch.setattr(children, "PROGRAM", (sys.executable, "-m", "tests.reproduce.trainer"))
    monkeypatch.setattr(runner, "TICK", 0.02)

    def wish(**runs: str) -> None:
        monkeypatch.setenv("TRAINER", json.dumps({name.replace("_", "-"): what for name, what in runs.items()}))

    wish()
    return wish
