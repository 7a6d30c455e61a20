"""Several seeds at once, and how they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from rescli.engine.observer import Silent
from rescli.engine.request import Request
from rescli.engine.together import train_together
from rescli.errors import StoppedEarly, UsageError
from rescli.store.reader import read_run
from tests.engine.conftest import small


def test_a_signal_is_what_ends_seeds_of_which_one_has_diverged(tmp_path: Path) -> None:
    """The others have checkpoints and can go on: that is what the batch queue is to know."""

    class Stops(Silent):
        def step(self, iteration: int) -> None:
            if iteration == 6:
                os.kill(os.getpid(), signal.SIGTERM)

    requests = [
        Request(
            recipe=small(seed=seed, learning_rate=1e-3 if seed == 0 else 1e30),
            path=tmp_path / f"{seed}.h5",
            threads=1,
            backend="cpu",
        )
        for seed in range(2)
    ]
    with pytest.raises(StoppedEarly):
        train_together(requests, Stops())
    assert [read_run(request.path).status for request in requests] == ["stopped", "diverged"]


def test_where_one_seed_cannot_go_on_none_has_left_a_trace(tmp_path: Path) -> None:
    def request(seed: int, **given: Any) -> Request:
        recipe, path = small(seed=seed, **given), tmp_path / f"{seed}.h5"
        return Request(recipe=recipe, path=path, threads=1, backend="cpu", resume=True, given=given)

    train_together([request(1)])
    before = (tmp_path / "1.h5").read_bytes()
    with pytest.raises(UsageError, match="another recipe"):
        train_together([request(0), request(1, learning_rate=0.07)])
    assert not (tmp_path / "0.h5").exists()
    assert (tmp_path / "1.h5").read_bytes() == before
