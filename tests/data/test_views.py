"""Decoding and views, against torchvision's own transforms."""

from __future__ import annotations

import errno
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, PILToTensor, Resize, TenCrop

from rescli.data import decode as module
from rescli.data.chosen import damaged
from rescli.data.decode import DamagedImage, decode, in_parallel, opened, read
from rescli.data.listing import Listing
from rescli.data.pixels import Normalized, PhotographFeed
from rescli.data.views import Views, center_view, ten
from rescli.errors import DataError, UsageError


def photograph(width: int = 301, height: int = 233, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "1"])
def test_every_kind_of_image_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    photograph(mode=mode).save(path)
    image = decode(opened(path))
    assert (image.mode, image.size) == ("RGB", (301, 233))
    assert np.array_equal(np.asarray(image), np.asarray(photograph(mode=mode).convert("RGB")))


@pytest.mark.filterwarnings(
    "ignore::UserWarning:PIL"
)  # decode.py does this for the process; pytest has filters of its own
def test_orientation_in_exif_is_ignored_and_damaged_exif_does_no_harm(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    photograph().save(tmp_path / "turned.jpg", exif=exif)
    assert decode(opened(tmp_path / "turned.jpg")).size == (301, 233)
    photograph().save(tmp_path / "odd.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0")
    assert decode(opened(tmp_path / "odd.jpg")).size == (301, 233)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    photograph().save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    for name, content in (("cut.jpg", data[: len(data) // 2]), ("text.jpg", b"no image"), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DamagedImage, match=name):
            decode(opened(tmp_path / name))
    with pytest.raises(DataError, match="is not there"):
        decode(opened(tmp_path / "none.jpg"))


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), OSError(errno.EMFILE, "Too many open files")]
)
def test_a_disk_that_fails_is_no_damaged_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    class Broken(FileIO):
        def read(self, *_: object) -> bytes:
            raise error

    def refused(*_: object, **__: object) -> None:
        raise error

    path = tmp_path / "a.jpg"
    photograph().save(path)
    listing = Listing(root=tmp_path, files=("a.jpg",), labels=np.zeros(1, np.int64), classes=("n00",))
    for broken in (refused, lambda path, *_, **__: Broken(path)):
        monkeypatch.setattr(module, "open", broken, raising=False)
        for attempt in (
            lambda: decode(opened(path)),
            lambda: read(path),
            lambda: damaged(listing, range(1), workers=1),
        ):
            with pytest.raises(DataError, match=f"a.jpg: cannot be read: {error.strerror}") as raised:
                attempt()
            assert not isinstance(raised.value, DamagedImage)


def test_lack_of_memory_is_no_damaged_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    photograph(mode="L").save(tmp_path / "a.jpg")
    monkeypatch.setattr(Image.Image, "convert", full)
    with pytest.raises(MemoryError):
        decode(opened(tmp_path / "a.jpg"))


@pytest.mark.parametrize(("width", "height"), [(301, 233), (233, 301), (256, 256), (500, 257), (223, 90)])
def test_crops_are_torchvisions(width: int, height: int) -> None:
    image = photograph(width, height)
    resized = Resize(256)(image)
    (one,) = Views().of(image)
    assert torch.equal(torch.from_numpy(one[0]), PILToTensor()(CenterCrop(224)(resized)))
    (many,) = Views(crops=10).of(image)
    theirs = torch.stack([PILToTensor()(crop) for crop in TenCrop(224)(resized)])
    assert torch.equal(torch.from_numpy(many), theirs)
    for shown, scale in zip(Views(scales=(224, 384)).of(image), (224, 384), strict=True):
        assert torch.equal(torch.from_numpy(shown[0]), PILToTensor()(Resize(scale)(image)))


@pytest.mark.parametrize(("width", "height"), [(301, 233), (233, 302), (256, 256), (223, 90)])
def test_the_view_that_means_are_taken_of_is_the_one_that_is_tested(width: int, height: int) -> None:
    image = photograph(width, height)
    (tested,) = Views().of(image)
    assert np.array_equal(center_view(image, 256, 224), tested[0].transpose(1, 2, 0))
    assert center_view(image, 70, 64).shape == (64, 64, 3)


def test_ten_crops_are_five_and_their_mirror_images() -> None:
    pixels = np.arange(3 * 6 * 8, dtype=np.uint8).reshape(3, 6, 8)
    crops = ten(pixels, 4)
    assert np.array_equal(crops[[6, 5, 8, 7, 9]], crops[:5, :, :, ::-1])
    assert np.array_equal(crops[3], pixels[:, 2:, 4:])


@pytest.mark.parametrize(
    "options",
    [{"crops": 5}, {"size": 300}, {"shorter": 8193}, {"scales": (224, 224)}, {"scales": (8,)}, {"scales": (10_000,)}],
)
def test_views_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Views(**options)  # type: ignore[arg-type]


def test_results_come_in_order_and_errors_in_turn() -> None:
    assert list(in_parallel(lambda number: number * number, range(100), workers=3)) == [n * n for n in range(100)]

    def fails(number: int) -> int:
        if number == 5:
            raise DataError("five")
        return number

    going = in_parallel(fails, range(10), workers=2)
    assert [next(going) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="five"):
        next(going)


def test_a_mean_image_is_used_at_its_size_and_its_channels_elsewhere() -> None:
    mean = np.random.default_rng(0).random((4, 4, 3), np.float32)
    inputs = Normalized(mean, np.full(3, 2.0, np.float32), 255.0)
    pixels = torch.full((1, 3, 4, 4), 51, dtype=torch.uint8)
    torch.testing.assert_close(inputs(pixels)[0], (0.2 - torch.from_numpy(mean).permute(2, 0, 1)) / 2)
    wide = torch.full((1, 3, 4, 5), 51, dtype=torch.uint8)
    channels = torch.from_numpy(mean).mean((0, 1))[:, None, None]
    torch.testing.assert_close(inputs(wide)[0], ((0.2 - channels) / 2).expand(3, 4, 5))


def test_training_inputs_have_their_colours_shifted() -> None:
    random = np.random.default_rng(0)
    mean = torch.from_numpy(random.random((8, 8, 3), np.float32))
    pixels = torch.from_numpy(random.integers(0, 256, (3, 8, 8, 3), np.uint8))
    colour = torch.from_numpy(random.random((3, 3), np.float32))
    inputs, labels = PhotographFeed(mean.numpy(), 4), torch.arange(3)
    expected = (pixels.double() / 255 - mean + colour[:, None, None]).float().permute(0, 3, 1, 2)
    found, same = inputs(pixels, labels, colour)
    assert torch.equal(same, labels)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(inputs(pixels[:2], labels[:2], colour[:2])[0], expected[:2], rtol=0, atol=1e-6)
    still = (pixels.double() / 255 - mean).float().permute(0, 3, 1, 2)
    torch.testing.assert_close(inputs(pixels, labels)[0], still, rtol=0, atol=1e-6)


def test_a_strip_is_named_and_not_resized(tmp_path: Path) -> None:
    """By its shorter side it would be gigabytes."""
    for size in ((1, 257), (2049, 8)):
        Image.new("RGB", size).save(tmp_path / "strip.jpg")
        with pytest.raises(
            DamagedImage, match=rf"strip\.jpg: cannot be decoded: {size[0]} by {size[1]} pixels are a strip"
        ):
            decode(opened(tmp_path / "strip.jpg"))
    Image.new("RGB", (1, 256)).save(tmp_path / "narrow.jpg")
    assert decode(opened(tmp_path / "narrow.jpg")).size == (1, 256)
