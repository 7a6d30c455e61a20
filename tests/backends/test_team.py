"""How a process joins the others of its job."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from rescli.backends import team


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A job of two whose library prints past Python, as Gloo of PyTorch 2.9 does."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(dist, "init_process_group", lambda _: os.write(1, b"connected to 1 peer rank\n"))
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    team.join.cache_clear()
    yield
    team.join.cache_clear()


@pytest.mark.usefixtures("talkative")
def test_what_a_library_prints_while_joining_is_no_data(capfd: pytest.CaptureFixture[str]) -> None:
    print("data before")
    assert team.join() == team.Team(1, 2)
    print("data after")
    printed = capfd.readouterr()
    assert printed.out == "data before\ndata after\n"
    assert "connected to 1 peer rank" in printed.err


@pytest.mark.usefixtures("talkative")
def test_joining_without_stdout() -> None:
    stdout = os.dup(1)
    try:
        os.close(1)
        with pytest.raises(OSError, match="Bad file descriptor"):  # of the library's own writing
            team.join()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(1)
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
