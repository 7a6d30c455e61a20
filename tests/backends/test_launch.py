"""What `--devices N` gives each of its processes."""

from __future__ import annotations

import os
from argparse import Namespace

import pytest

from rescli.backends import launch

PATIENCE = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"


@pytest.mark.parametrize(("threads", "expected"), [(None, "3"), (2, "2")])
def test_processes_share_the_processors_of_the_job(
    monkeypatch: pytest.MonkeyPatch, threads: int | None, expected: str
) -> None:
    """Those that the batch system gave it, which may be few of the machine's: six for two, whatever the machine has."""
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(40, 46)))
    started: list[Namespace] = []
    monkeypatch.setattr(launch, "run", started.append)

    assert launch.launch(2, ["train", "cifar"], threads=threads) == launch.Ending()

    assert os.environ["OMP_NUM_THREADS"] == expected
    assert started[0].nproc_per_node == "2"
    assert started[0].training_script_args == ["train", "cifar"]


@pytest.mark.parametrize(("said", "expected"), [(None, "600"), ("5", "5")])
def test_processes_have_time_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch, said: str | None, expected: str) -> None:
    """PyTorch's launcher would kill them half a minute after a signal; who has said otherwise is heard."""
    monkeypatch.setenv(PATIENCE, said or "")
    if said is None:
        monkeypatch.delenv(PATIENCE)
    monkeypatch.setattr(launch, "run", lambda _: None)
    launch.launch(2, ["train", "cifar"])
    assert os.environ[PATIENCE] == expected
