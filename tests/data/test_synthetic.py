"""The built-in data set: the same bytes everywhere, balanced, and neither trivial nor noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.data import synthetic
from rescli.data.dataset import Dataset
from rescli.data.shapes import SHAPES, UNIT, Field, _modulo, coverage, disc


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthetic.make()


def test_golden_bytes(dataset: Dataset) -> None:
    """A change here is another data set: results on it no longer compare."""
    golden = "26734ca24cda56c10e4b0fb4529f901f5e58ab11c85e2cc3fa10f11e47290f2e"
    assert synthetic.digest(dataset) == golden == synthetic.SHA256


def test_shapes_and_balance(dataset: Dataset) -> None:
    assert dataset.classes == tuple(shape.__name__ for shape in SHAPES)
    for part, n in ((dataset.train, 10_000), (dataset.test, 2_000)):
        assert part.images.shape == (n, 32, 32, 3)
        assert np.bincount(part.labels).tolist() == [n // 10] * 10


def test_no_test_image_is_a_training_image(dataset: Dataset) -> None:
    seen = {image.tobytes() for image in dataset.train.images}
    assert len(seen) == 10_000
    assert not any(image.tobytes() in seen for image in dataset.test.images)


def test_a_linear_classifier_does_not_solve_it(dataset: Dataset) -> None:
    def inputs(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        quarter = images[:, ::2, ::2].reshape(len(images), -1).astype(np.float32) / 255
        return np.concatenate([quarter, np.ones((len(images), 1), np.float32)], axis=1)

    x, test = inputs(dataset.train.images), inputs(dataset.test.images)
    targets = np.eye(10, dtype=np.float32)[dataset.train.labels]
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1], dtype=np.float32), x.T @ targets)
    error = 100 * ((test @ weights).argmax(1) != dataset.test.labels).mean()
    assert error > 60


def test_neighbouring_pixels_are_alike(dataset: Dataset) -> None:
    images = dataset.train.images[:500].astype(np.float64)
    beside = np.corrcoef(images[:, :, 1:].ravel(), images[:, :, :-1].ravel())[0, 1]
    assert beside > 0.8, "images, not noise"


def test_shapes_do_not_change_when_mirrored() -> None:
    axis = (np.arange(33, dtype=np.int32) - 16) * UNIT
    x, y = np.broadcast_to(axis, (1, 33, 33)), np.broadcast_to(axis[:, None], (1, 33, 33))
    size, period = (np.full((1, 1, 1), value, np.int32) for value in (10 * UNIT, 6 * UNIT))
    for shape in SHAPES:
        covered = coverage(shape(x, y, size, period))
        assert 0.05 < covered.mean() / 16 < 0.9, shape.__name__
        np.testing.assert_array_equal(covered, covered[..., ::-1], err_msg=shape.__name__)


@given(st.integers(5 * UNIT, 7 * UNIT), st.integers(-400, 400))
def test_modulo(period: int, along: int) -> None:
    def field(value: int) -> Field:
        return np.full((1, 1, 1), value, np.int32)

    assert _modulo(field(along), field(period)).item() == along % period


@given(st.integers(6 * UNIT, 12 * UNIT), st.integers(-400, 400), st.integers(-400, 400))
def test_the_depth_in_a_disc(size: int, x: int, y: int) -> None:
    """Within a pixel of the edge the approximation is right to 1/8 of a pixel; elsewhere it has the right sign."""
    depth = disc(*(np.full((1, 1, 1), value, np.int32) for value in (x, y, size))).item()
    true = size - np.hypot(x, y)
    if abs(true) <= UNIT:
        assert abs(depth - true) <= 4
    else:
        assert np.sign(depth) == np.sign(true)
