"""Signals while a run trains: which of them stop it, when, and what a second one does."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kills import same
from rescli.backends.worker import TorchWorker
from rescli.engine.observer import Silent
from rescli.engine.stopping import StopSignals
from rescli.errors import Interrupted, StoppedEarly
from rescli.store.reader import read_run
from tests.engine.conftest import Stops, Train, small


def test_a_signal_during_an_evaluation_puts_it_off(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small()
    _, expected = trained(recipe, name="whole.h5")
    evaluate = TorchWorker.evaluate

    def interrupted(self: TorchWorker, split: str, stop: Any = lambda: False) -> Any:
        os.kill(os.getpid(), signal.SIGUSR1)
        return evaluate(self, split, stop)

    monkeypatch.setattr(TorchWorker, "evaluate", interrupted)
    with pytest.raises(StoppedEarly, match="after iteration 5,"):
        trained(recipe)
    monkeypatch.setattr(TorchWorker, "evaluate", evaluate)
    assert "test" not in read_run(tmp_path / "run.h5").metrics
    _, record = trained(recipe, resume=True)

    assert same(expected, record) == []


def test_ctrl_c_is_told_from_other_signals(trained: Train) -> None:
    with pytest.raises(Interrupted) as error:
        trained(small(), observer=Stops(4, signal.SIGINT))

    assert error.value.exit_code == 130


def test_a_lost_connection_is_a_signal_like_others(trained: Train) -> None:
    with pytest.raises(StoppedEarly, match="SIGHUP"):
        trained(small(), observer=Stops(4, signal.SIGHUP))


def test_ignored_signals_stay_ignored(trained: Train) -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        outcome, _ = trained(small(), observer=Stops(4, signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)

    assert outcome.status == "finished"


def test_handlers_are_put_back(trained: Train) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)]

    trained(small(iterations=1))

    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)] == before


def test_ctrl_c_twice_leaves_at_once_whatever_came_between(trained: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rescli.engine.stopping.ECHO", 0.0)

    class Impatient(Silent):
        def step(self, iteration: int) -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        trained(small(), observer=Impatient())


def test_a_ctrl_c_that_comes_twice_at_once_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`timeout` in the foreground passes on the one that has come from the terminal, too; who holds the key down means it."""
    clock = iter([10.0, 10.00004, 10.09, 10.11])
    monkeypatch.setattr("rescli.engine.stopping.time.monotonic", lambda: next(clock))
    with StopSignals() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert (stop.received, stop.count) == (signal.SIGINT, 1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
