"""Held-out images, and the mean image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rescli.data.dataset import Dataset, Images
from rescli.data.mean import mean_image
from rescli.data.split import split
from rescli.errors import UsageError


def numbered(n: int) -> Images:
    labels = np.arange(n, dtype=np.int64)
    return Images(np.broadcast_to((labels % 256).astype(np.uint8)[:, None, None, None], (n, 32, 32, 3)), labels)


DATASET = Dataset("numbered", ("a",), numbered(300), numbered(20))


def test_nothing_held_out() -> None:
    splits = split(DATASET, 0)
    assert splits.train is DATASET.train
    assert splits.validation is None
    assert splits.test is DATASET.test


@given(st.integers(1, 299))
def test_the_last_ones_are_held_out(validation: int) -> None:
    splits = split(DATASET, validation)
    assert splits.validation is not None
    assert len(splits.validation) == validation
    assert [*splits.train.labels, *splits.validation.labels] == list(range(300))
    assert np.shares_memory(splits.train.images, DATASET.train.images), "no copy of the images"
    np.testing.assert_array_equal(splits.validation.images[:, 0, 0, 0], splits.validation.labels % 256)


@pytest.mark.parametrize("validation", [-1, 300, 10**12])
def test_impossible_numbers(validation: int) -> None:
    with pytest.raises(UsageError, match="between 0 and 299"):
        split(DATASET, validation)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.just(4), st.just(4), st.just(3))))
def test_mean_of_small_sets(images: npt.NDArray[np.uint8]) -> None:
    mean = mean_image(images)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, (images.astype(np.int64).sum(0) / (255 * len(images))).astype(np.float32))


def test_mean_is_exact_over_many_chunks() -> None:
    n = 5000
    images = np.full((n, 2, 2, 3), 255, np.uint8)
    images[0] = 0
    expected = np.float32((n - 1) / n)
    assert (mean_image(images) == expected).all()
    assert (mean_image(images[::-1]) == expected).all(), "in any order, and of any memory layout"
