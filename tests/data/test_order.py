"""The order, crops and flips of an epoch: golden values, and that they are as random as they should be."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.data.order import MAX_SEED, EpochPlan, Order
from rescli.errors import UsageError

SEEDS = st.integers(0, MAX_SEED)
EPOCHS = st.integers(0, 2**40)


def digest(plan: EpochPlan) -> str:
    parts = (plan.index.astype("<i8"), plan.dy.astype("<i8"), plan.dx.astype("<i8"), plan.flip.astype("u1"))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_golden_values() -> None:
    """A change here means that old runs cannot be repeated or resumed."""
    plan = Order(10, MAX_SEED).epoch(2**40)
    assert plan.index.tolist() == [1, 3, 5, 4, 7, 6, 9, 2, 0, 8]
    assert plan.dy.tolist() == [2, 1, 3, 3, 3, 0, 1, 2, 3, 6]
    assert plan.dx.tolist() == [8, 3, 3, 0, 0, 8, 8, 3, 5, 7]
    assert plan.flip.tolist() == [False, True, False, False, False, False, True, True, False, True]
    assert digest(Order(50_000, 7).epoch(5)) == "2b6b960f68ddf5dd311cc9600b3e46f0c1589b510fa116377b043e2700ab2cb4"


@given(st.integers(1, 300), SEEDS, EPOCHS)
def test_shapes_and_ranges(images: int, seed: int, epoch: int) -> None:
    plan = Order(images, seed).epoch(epoch)
    assert sorted(plan.index) == list(range(images))
    assert plan.index.dtype == plan.dy.dtype == plan.dx.dtype == np.int64
    assert plan.flip.dtype == np.bool_
    assert plan.index.shape == plan.dy.shape == plan.dx.shape == plan.flip.shape == (images,)
    for offset in (plan.dy, plan.dx):
        assert offset.min() >= 0
        assert offset.max() <= 8


@given(SEEDS, EPOCHS)
def test_an_epoch_needs_no_epoch_before_it(seed: int, epoch: int) -> None:
    order = Order(50, seed)
    for before in (0, 3):
        order.epoch(before)
    assert digest(order.epoch(epoch)) == digest(Order(50, seed).epoch(epoch))


@given(SEEDS, EPOCHS)
def test_epochs_and_seeds_differ(seed: int, epoch: int) -> None:
    plan = Order(100, seed).epoch(epoch)
    for other in (Order(100, seed).epoch(epoch + 1), Order(100, seed ^ 1).epoch(epoch)):
        assert (plan.index != other.index).any()
        assert (plan.dy != other.dy).any()
        assert (plan.flip != other.flip).any()


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 2**64])
def test_seeds_that_do_not_fit(seed: int) -> None:
    with pytest.raises(UsageError):
        Order(10, seed)


def chi_square(counts: npt.NDArray[np.int64]) -> float:
    """In standard deviations from its mean, which is its number of degrees of freedom."""
    expected = counts.sum() / counts.size
    free = counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - free) / np.sqrt(2 * free))


def test_crops_and_flips_are_uniform_and_independent() -> None:
    plan = Order(500_000, 0).epoch(0)
    cells = (plan.dy * 9 + plan.dx) * 2 + plan.flip
    assert abs(chi_square(np.bincount(cells, minlength=162))) < 4


def test_every_image_is_everywhere_equally_often() -> None:
    order = Order(6, 1)
    counts = np.zeros((6, 6), np.int64)
    for epoch in range(6000):
        counts[np.arange(6), order.epoch(epoch).index] += 1
    # A Latin table: (6 - 1)^2 of its 36 cells are free.
    assert abs((((counts - 1000) ** 2 / 1000).sum() - 25) / np.sqrt(50)) < 4


@pytest.mark.parametrize("other", [Order(50_000, 3).epoch(1), Order(50_000, 4).epoch(0), Order(50_000, 2).epoch(0)])
def test_epochs_and_seeds_are_uncorrelated(other: EpochPlan) -> None:
    plan = Order(50_000, 3).epoch(0)
    for a, b in ((plan.index, other.index), (plan.dy, other.dy), (plan.dx, other.dx), (plan.flip, other.flip)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(50_000)
    assert (plan.index == other.index).sum() < 10, "a random permutation has one fixed point"


def test_crops_do_not_depend_on_the_order() -> None:
    plan = Order(50_000, 9).epoch(2)
    for drawn in (plan.dy, plan.dx, plan.flip):
        assert abs(np.corrcoef(plan.index, drawn)[0, 1]) < 4 / np.sqrt(50_000)
    assert abs(np.corrcoef(plan.dy, plan.dx)[0, 1]) < 4 / np.sqrt(50_000)


def test_equal_keys_keep_the_order_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "words", lambda self, stream, epoch: np.zeros(self.images, np.uint64))
    assert Order(1000, 0).epoch(0).index.tolist() == list(range(1000))
