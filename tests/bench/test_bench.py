"""The bench's bookkeeping, and one small duel for real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rescli.bench.clock import PeakMemory
from rescli.bench.cold import files_of, forget
from rescli.bench.limit import matrix_rate
from rescli.bench.pairs import Duel, Spread, duel
from rescli.bench.photographs import measure_photographs
from rescli.bench.plain import PlainLoop
from rescli.data.read import load
from rescli.errors import UsageError
from rescli.models.cifar import cifar_spec


def test_turns_and_warm_up() -> None:
    calls: list[str] = []
    seconds = {"a": iter([9.0, 1.0, 2.0, 3.0]), "b": iter([99.0, 4.0, 5.0, 6.0])}

    def side(name: str) -> float:
        calls.append(name)
        return next(seconds[name])

    found = duel(lambda: side("a"), lambda: side("b"), pairs=3)

    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert found == Duel(ours=(1.0, 2.0, 3.0), theirs=(4.0, 5.0, 6.0))
    assert found.ratio() == Spread(median=2.5, low=2.25, high=3.25, n=3)
    assert found.rates(6)[0].median == 3.0
    assert Spread.of([2.0]) == Spread(median=2.0, low=2.0, high=2.0, n=1)


def test_the_plain_loop_trains_and_sees_every_image() -> None:
    images = load("synthetic").train[:64]
    loop = PlainLoop(cifar_spec(8, shortcut="A", classes=10), images, batch_size=16, workers=0, device="cpu")
    before = [parameter.clone() for parameter in loop.network.parameters()]
    assert loop.steps(5) > 0  # more than an epoch's four
    assert all(not torch.equal(a, b) for a, b in zip(before, loop.network.parameters(), strict=True))
    seen = torch.cat([y for _, y in loop.test_loader])
    assert seen.tolist() == images.labels.tolist()
    assert loop.evaluate() > 0


def test_the_limit_is_a_rate() -> None:
    assert matrix_rate("fp32", "cpu", samples=1) > 1e8


def test_the_peak_is_what_was_taken_meanwhile() -> None:
    peak = PeakMemory("cpu")
    kept = torch.ones(30_000_000)  # 120 MB, written to
    found = peak.read()
    assert found is None or 100e6 < found < 200e6
    assert len(kept) == 30_000_000


def test_photographs_race_for_real(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (240, 260, 3), np.uint8)
    for number in range(6):
        path = tmp_path / "train" / f"n{number % 2}" / f"{number}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    found = measure_photographs(tmp_path, batch_size=4, batches=2, pairs=1, workers=0)
    assert (found.amount, len(found.duel.ours), found.extra["images"]) == (8, 1, 6)
    with pytest.raises(UsageError, match="no batch of 7"):
        measure_photographs(tmp_path, batch_size=7, batches=2, pairs=1, workers=0)


def test_files_that_are_forgotten_are_whole(tmp_path: Path) -> None:
    """What the page cache does is the system's affair; here nothing may happen to the files."""
    for name in ("a", "b/c"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 5000)
    found = files_of(tmp_path)
    assert found == [tmp_path / "a", tmp_path / "b" / "c"]
    assert files_of(tmp_path / "a") == [tmp_path / "a"]
    forget(found)
    assert (tmp_path / "b" / "c").read_bytes() == b"b/c" * 5000
