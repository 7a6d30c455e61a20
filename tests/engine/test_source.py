"""What a loop gets of CIFAR's images: epochs as plans, and batches of their own for BN's averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rescli.backends.team import Team
from rescli.engine.request import Request
from rescli.engine.source import Resident
from rescli.errors import UsageError
from tests.engine.conftest import small


class Worker:
    """Remembers the plans it is given."""

    def __init__(self) -> None:
        self.plans: list[Any] = []

    def begin_epoch(self, plan: Any) -> None:
        self.plans.append(plan)


def source(team: Team) -> Resident:
    recipe = small(iterations=13).resolved()
    return Resident(recipe, Request(recipe=recipe, path=Path("run.h5")), team)


def test_a_plan_an_epoch_and_rows_a_batch() -> None:
    """200 images in batches of 32: seven, the last of 8."""
    worker: Any = Worker()
    with source(Team()).supply() as supply:
        rows = [supply.give(worker, iteration) for iteration in (0, 1, 6, 7, 20)]
        assert supply.tested() is None
    assert rows == [(0, 32), (32, 64), (192, 200), (0, 32), (192, 200)]
    assert len(worker.plans) == 3, "epochs 0, 1 and 2"


def test_every_process_needs_an_image_of_every_batch() -> None:
    """The last batch of an epoch is one of 8 images."""
    source(Team(7, 8))
    with pytest.raises(UsageError, match="too few for each of 9 processes"):
        source(Team(0, 9))


def test_batches_for_statistics_follow_the_last_iteration_and_are_shared() -> None:
    worker: Any = Worker()
    with source(Team()).supply() as supply:
        first, last = supply.give(worker, 13)
        whole = list(supply.for_statistics(2))
    expected = tuple(part[first:last] for part in worker.plans[-1])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole[0], expected, strict=True))
    halves = []
    for rank in (0, 1):
        with source(Team(rank, 2)).supply() as supply:
            halves.append(list(supply.for_statistics(2)))
    for one, a, b in zip(whole, *halves, strict=True):
        assert all(torch.equal(x, torch.cat([y, z])) for x, y, z in zip(one, a, b, strict=True))
