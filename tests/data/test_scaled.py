"""The augmentation of ImageNet's training images: distributions, the pixels themselves, and who decodes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rescli.data.decode import decode, opened
from rescli.data.order import Order
from rescli.data.scaled import (
    COLOUR_STD,
    EIGENVALUES,
    EIGENVECTORS,
    LONGEST,
    SHORTEST,
    Augmentation,
    colour_shifts,
    scaled_plan,
    training_view,
)
from rescli.errors import DataError

PLAN = scaled_plan(Order(200_000, 7), 3)


def image(folder: Path, name: str, width: int, height: int) -> Path:
    """Smooth colours, as photographs have them."""
    coarse = np.random.default_rng(width).integers(0, 256, (9, 12, 3), np.uint8)
    path = folder / name
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=95)
    return path


def test_shorter_sides_are_uniform_integers_with_both_ends() -> None:
    counts = np.bincount(PLAN.shorter - SHORTEST)
    assert (len(counts), PLAN.shorter.min(), PLAN.shorter.max()) == (LONGEST - SHORTEST + 1, 256, 480)
    expected = len(PLAN.shorter) / len(counts)
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    assert chi_squared < 300, "224 degrees of freedom: above 300 in 5 of 10,000 cases"


def test_every_image_once_half_of_them_mirrored_and_nothing_hangs_together() -> None:
    assert np.array_equal(np.sort(PLAN.index), np.arange(200_000))
    assert abs(PLAN.flip.mean() - 0.5) < 0.005
    columns = [PLAN.shorter, PLAN.down, PLAN.across, PLAN.flip, PLAN.colour[:, 0], PLAN.index]
    assert np.abs(np.corrcoef(np.stack(columns)) - np.eye(6)).max() < 0.012
    again, later = scaled_plan(Order(200_000, 7), 3), scaled_plan(Order(200_000, 7), 4)
    assert np.array_equal(PLAN.colour, again.colour)
    assert not np.array_equal(PLAN.colour, later.colour)


def test_colours_vary_along_the_principal_components() -> None:
    """The covariance of V (alpha * lambda) is V diag((0.1 lambda)^2) V^T; one draw by hand."""
    one = colour_shifts(np.array([[0.1, -0.2, 0.05]]))[0]
    red = 0.1 * 0.2175 * -0.5675 + -0.2 * 0.0188 * 0.7192 + 0.05 * 0.0045 * 0.4009
    assert one[0] == pytest.approx(red, rel=1e-5)
    expected = EIGENVECTORS @ np.diag((COLOUR_STD * EIGENVALUES) ** 2) @ EIGENVECTORS.T
    np.testing.assert_allclose(np.cov(PLAN.colour.T), expected, rtol=0.02, atol=1e-8)
    assert np.abs(PLAN.colour.mean(0)).max() < 1e-4
    along = PLAN.colour @ EIGENVECTORS[:, 0] / (COLOUR_STD * EIGENVALUES[0])
    assert np.mean(np.abs(along) < 1) == pytest.approx(0.6827, abs=0.005)
    assert np.mean(np.abs(along) < 2) == pytest.approx(0.9545, abs=0.005)


@pytest.mark.parametrize(("width", "height"), [(300, 224), (224, 300), (500, 375), (1000, 800), (256, 256)])
@pytest.mark.parametrize("place", [0, 2**30, 2**31 - 1])
def test_a_part_that_is_resized_is_that_part_of_the_whole(tmp_path: Path, width: int, height: int, place: int) -> None:
    path = image(tmp_path, "image.png", width, height)
    for shorter in (256, 331, 480):
        found = training_view(opened(path), shorter, place, place, False, 224).astype(int)
        wide, high = (
            (shorter, int(shorter * height / width)) if width <= height else (int(shorter * width / height), shorter)
        )
        whole = np.asarray(Image.open(path).resize((wide, high), Image.Resampling.BILINEAR)).astype(int)
        left, top = place * (wide - 224 + 1) >> 31, place * (high - 224 + 1) >> 31
        if place == 2**31 - 1:
            assert (left, top) == (wide - 224, high - 224), "the last place is the last there is"
        difference = np.abs(found - whole[top : top + 224, left : left + 224])
        assert difference.max() <= 2, "each of two passes rounds"
        assert difference.mean() < 0.1
        mirrored = training_view(opened(path), shorter, place, place, True, 224)
        assert np.array_equal(mirrored, found[:, ::-1])


def test_a_large_jpeg_is_decoded_small(tmp_path: Path) -> None:
    path = image(tmp_path, "large.jpg", 2400, 1800)
    found = training_view(opened(path), 256, 2**30, 2**30, False, 224).astype(int)
    whole = np.asarray(Image.open(path).resize((341, 256), Image.Resampling.BILINEAR)).astype(int)
    left, top = (341 - 224 + 1) // 2, (256 - 224 + 1) // 2
    difference = np.abs(found - whole[top : top + 224, left : left + 224])
    assert difference.mean() < 1
    assert difference.max() < 12


def test_what_is_switched_off_is_off() -> None:
    order = Order(1000, 7)
    still = scaled_plan(order, 3, Augmentation(random=False, shortest=300))
    assert np.array_equal(still.index, scaled_plan(order, 3).index), "the order is that of the seed all the same"
    assert set(still.shorter.tolist()) == {300}
    assert not still.flip.any()
    assert not still.colour.any()
    grey = scaled_plan(order, 3, Augmentation(colour=False, shortest=100, longest=101))
    assert not grey.colour.any()
    assert set(grey.shorter.tolist()) == {100, 101}


def test_a_view_without_augmentation_is_the_center(tmp_path: Path) -> None:
    path = image(tmp_path, "image.png", 300, 256)
    still = scaled_plan(Order(1, 0), 0, Augmentation(random=False))
    found = training_view(opened(path), 256, int(still.down[0]), int(still.across[0]), False, 224)
    left = (300 - 224) // 2
    assert np.array_equal(found, np.asarray(Image.open(path))[16:240, left : left + 224])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_not_white(tmp_path: Path, suffix: str) -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    path = tmp_path / f"ramp.{suffix}"
    Image.fromarray(ramp).save(path)
    whole = np.asarray(decode(opened(path)))
    assert np.array_equal(whole, np.repeat((ramp >> 8).astype(np.uint8)[..., None], 3, axis=2))
    view = training_view(opened(path), 64, 0, 0, False, 64)
    assert np.array_equal(view, whole)


def test_floating_point_has_no_white(tmp_path: Path) -> None:
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif: cannot be decoded: its pixels are floating-point"):
        decode(opened(tmp_path / "x.tif"))


def test_a_tiff_on_its_side_is_not_squeezed(tmp_path: Path) -> None:
    """Pillow turns it when it is loaded, and some versions tell its size only then."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "side.tif", exif=exif)
    whole = decode(opened(tmp_path / "side.tif"))
    assert whole.size == (64, 96)
    view = training_view(opened(tmp_path / "side.tif"), 64, 2**31 - 1, 0, False, 64)
    assert np.array_equal(view, np.asarray(whole)[-64:])
