"""Training images decoded on a device: the same crops of the same images as on the host, to a level or two.

torchvision decodes on the processor with the same call as on a GPU, so all but nvJPEG itself is tested here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import decode_jpeg

from benchmarks.kills import same
from rescli.backends.cpu import CpuBackend
from rescli.data.decode import opened
from rescli.data.gpu import batches_on, check_decoder, decodable, view
from rescli.data.listing import Photographs, list_images
from rescli.data.order import Order
from rescli.data.scaled import Augmentation, scaled_plan, training_view
from rescli.data.stream import training_batches
from rescli.errors import BackendError, DataError
from tests.data.test_scaled import image
from tests.photographs.conftest import Train, little

pytestmark = pytest.mark.filterwarnings("ignore:.*TorchCodec.*:DeprecationWarning")  # torchvision 0.29 recommends it

HERE = torch.device("cpu")
HOW = Augmentation(size=64, shortest=70, longest=130)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Twelve images: colour, grey, CMYK, a PNG; one so large that Pillow decodes it at a half."""
    root = tmp_path_factory.mktemp("images") / "train"
    for number in range(12):
        folder = root / f"n{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        path = image(folder, f"{number:02}.jpg", 80 + 10 * number, 96)
        with Image.open(path) as one:
            one.load()
        if number == 3:
            one.convert("L").save(path, quality=95)
        elif number == 4:
            one.convert("CMYK").save(path, quality=95)
        elif number == 5:
            path.unlink()
            one.save(path.with_suffix(".png"))
        elif number == 6:
            one.resize((400, 300)).save(path, quality=95)
    return list_images(root.parent, "train")


def taken(make: Callable[..., Any], listing: Photographs, number: int, **options: Any) -> list[tuple[Any, ...]]:
    made = make(listing, Order(len(listing), 0), HOW, batch=5, **{"workers": 2, **options})
    found = [
        (
            np.asarray(one.pixels.cpu().numpy() if isinstance(one.pixels, Tensor) else one.pixels.copy()),
            one.labels,
            one.colour,
            one.images,
        )
        for one in islice(made, number)
    ]
    made.close()
    return found


def on_device(*arguments: Any, **options: Any) -> Any:
    return batches_on(HERE, *arguments, **options)


def close(ours: np.ndarray, theirs: np.ndarray, *, most: int = 3, mean: float = 0.5) -> bool:
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    return bool(apart.max() <= most and apart.mean() <= mean)


@pytest.mark.parametrize("shorter", [64, 75, 96, 130, 300])
@pytest.mark.parametrize("place", [0, 2**30, 2**31 - 1])
@pytest.mark.parametrize("flip", [False, True])
def test_a_view_is_pillows_to_a_level(tmp_path: Path, shorter: int, place: int, flip: bool) -> None:
    path = image(tmp_path, "one.png", 97, 121)
    with opened(path) as one:
        pixels = torch.from_numpy(np.array(one.convert("RGB"))).permute(2, 0, 1)
    found = view(pixels, shorter, place, 2**31 - 1 - place, flip, 64)
    expected = training_view(opened(path), shorter, place, 2**31 - 1 - place, flip, 64)
    assert found.shape == (64, 64, 3)
    assert close(found.numpy(), expected, most=1, mean=0.05)


def test_batches_are_the_hosts_to_a_level_or_two(listing: Photographs) -> None:
    ours, theirs = taken(on_device, listing, 5), taken(training_batches, listing, 5)
    for (pixels, *rest), (expected, *others) in zip(ours, theirs, strict=True):
        assert pixels.dtype == np.uint8
        assert all(np.array_equal(a, b) for a, b in zip(rest, others, strict=True))
        for one, other in zip(pixels, expected, strict=True):
            assert close(one, other, most=40, mean=1.5), "one is decoded at a half"
        assert sum(close(one, other) for one, other in zip(pixels, expected, strict=True)) >= len(pixels) - 1


def test_they_do_not_depend_on_threads_nor_on_where_one_begins_nor_on_who_shares(listing: Photographs) -> None:
    whole = taken(on_device, listing, 5, workers=1)
    for first in (1, 3):
        for ours, theirs in zip(
            taken(on_device, listing, 5 - first, first=first, workers=3), whole[first:], strict=True
        ):
            assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    shares = (lambda n: (0, n - n // 2), lambda n: (n - n // 2, n // 2))
    halves = [taken(on_device, listing, 3, share=share) for share in shares]
    for (pixels, *_, images), (one, *_, of_one), (two, *_, of_two) in zip(whole, *halves, strict=False):
        assert np.array_equal(pixels, np.concatenate([one, two]))
        assert images == of_one == of_two


def encoded(mode: str, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.effect_noise((40, 30), 60).convert(mode).save(file, kind, **options)
    return file.getvalue()


def nameless_rgb() -> bytes:
    """RGB by the names of its components alone: without Adobe's segment, which says it as well."""
    data = encoded("RGB", "JPEG", keep_rgb=True)
    begin = data.find(b"\xff\xee")
    if begin >= 0:
        data = data[:begin] + data[begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big") :]
    return data


@pytest.mark.parametrize(
    ("data", "can"),
    [
        (encoded("RGB", "JPEG"), True),
        (encoded("L", "JPEG"), True),
        (encoded("RGB", "JPEG", progressive=True), True),
        (encoded("RGB", "JPEG") + b"\0\0", True),
        (encoded("RGB", "JPEG")[:-200], False),
        (encoded("RGB", "JPEG", keep_rgb=True), False),
        (nameless_rgb(), False),
        (encoded("CMYK", "JPEG"), False),
        (encoded("RGB", "PNG"), False),
    ],
    ids=["colour", "grey", "progressive", "padded", "truncated", "rgb", "nameless", "cmyk", "png"],
)
def test_what_a_gpu_would_see_otherwise_is_left_to_the_host(data: bytes, can: bool) -> None:
    with Image.open(BytesIO(data)) as one:
        assert decodable(data, one) is can


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "n0").mkdir(parents=True)
    path = image(tmp_path / "train" / "n0", "cut.jpg", 300, 300)
    path.write_bytes(path.read_bytes()[:2000])
    for damaged in (path.read_bytes(), b"no image"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"cut\.jpg: cannot be decoded"):
            next(on_device(list_images(tmp_path, "train"), Order(1, 0), HOW, batch=1, workers=1))


def test_what_the_device_refuses_the_host_decodes(listing: Photographs, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, decode = taken(training_batches, listing, 3), decode_jpeg

    def moody(files: list[Tensor], **options: Any) -> Any:
        if any(len(data) % 2 and len(data) > 1000 for data in files):
            raise RuntimeError("not today")
        return decode(files, **options)

    monkeypatch.setattr("torchvision.io.decode_jpeg", moody)
    for ours, theirs in zip(taken(on_device, listing, 3), expected, strict=True):
        assert close(ours[0], theirs[0], most=40, mean=1.0)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), RuntimeError("Error while decoding: CUDA out of memory")]
)
def test_lack_of_memory_is_no_refusal(
    listing: Photographs, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    """torchvision puts whatever is wrong into words of its own."""

    def full(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("torchvision.io.decode_jpeg", full)
    with pytest.raises(torch.OutOfMemoryError):
        taken(on_device, listing, 1)


def test_a_device_that_decodes_nothing_says_so(listing: Photographs, monkeypatch: pytest.MonkeyPatch) -> None:
    check_decoder(HERE)

    def unbuilt(*_: Any, **__: Any) -> Any:
        raise RuntimeError("built without nvJPEG")

    monkeypatch.setattr("torchvision.io.decode_jpeg", unbuilt)
    with pytest.raises(BackendError, match="cpu decodes no JPEGs: built without nvJPEG"):
        check_decoder(HERE)
    with pytest.raises(BackendError, match="cpu decodes no JPEGs: built without nvJPEG"):
        taken(on_device, listing, 1)


@pytest.mark.parametrize("make", [on_device, training_batches])
@pytest.mark.parametrize("bad", [5, 7, 9])
def test_batches_before_a_damaged_image_are_whole(
    listing: Photographs, tmp_path: Path, make: Callable[..., Any], bad: int
) -> None:
    """Nobody may want more than those."""
    shutil.copytree(listing.root, tmp_path / "train")
    copy = list_images(tmp_path, "train")
    row = int(scaled_plan(Order(len(copy), 0), 0, HOW).index[bad])
    (copy.root / copy.files[row]).write_bytes(b"no image")
    made = make(copy, Order(len(copy), 0), HOW, batch=5, workers=2)
    assert len(next(made).labels) == 5
    with pytest.raises(DataError, match="cannot be decoded"):
        next(made)


def test_a_run_remembers_who_decodes(trained: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="backend 'cpu' decodes no JPEGs"):
        trained(little(), decode="gpu")
    monkeypatch.setattr(CpuBackend, "jpeg_decoder", lambda _: HERE, raising=False)
    _, host = trained(little(), name="host.h5")
    _, record = trained(little(), decode="gpu")
    assert record.sessions[-1]["decode"] == "gpu"
    assert record.sessions[-1]["decoder"].startswith("torchvision ")
    assert record.metrics["train"]["loss"][0] == pytest.approx(host.metrics["train"]["loss"][0], rel=0.15), (
        "before it grows"
    )
    _, again = trained(little(iterations=9), resume=True)
    assert again.sessions[-1]["decode"] == "gpu"


class TestOnAGpu:
    """Run with `make test-gpu`."""

    pytestmark = pytest.mark.gpu

    def test_batches_are_the_hosts_but_for_colours_at_half_the_resolution(self, listing: Photographs) -> None:
        device = torch.device("cuda", torch.cuda.current_device())
        ours = taken(lambda *a, **o: batches_on(device, *a, **o), listing, 5)
        for (pixels, *rest), (expected, *others) in zip(ours, taken(training_batches, listing, 5), strict=True):
            assert all(close(a, b, most=60, mean=6.0) for a, b in zip(pixels, expected, strict=True))
            assert all(np.array_equal(a, b) for a, b in zip(rest, others, strict=True))

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_with_colours_at_full_resolution_they_are_the_hosts_to_a_few_levels(
        self, tmp_path: Path, mode: str
    ) -> None:
        folder = tmp_path / "train" / "n0"
        folder.mkdir(parents=True)
        for number in range(6):
            with Image.open(image(folder, f"{number}.png", 80 + 10 * number, 96)) as one:
                one.convert(mode).save(folder / f"{number}.jpg", quality=95, subsampling=0)
            (folder / f"{number}.png").unlink()
        files, device = list_images(tmp_path, "train"), torch.device("cuda", torch.cuda.current_device())
        ours = taken(lambda *a, **o: batches_on(device, *a, **o), files, 3)
        for (pixels, *_), (expected, *_) in zip(ours, taken(training_batches, files, 3), strict=True):
            assert close(pixels, expected, most=5, mean=1.0)

    @pytest.mark.parametrize("deterministic", [False, True])
    def test_a_run_is_captured_while_the_next_images_are_decoded(self, trained: Train, deterministic: bool) -> None:
        """Two sizes of batches, each of which is captured at its third: while the next ones are decoded."""
        options = {"backend": "cuda", "deterministic": deterministic}
        recipe = little(iterations=18, learning_rate=0.001)
        _, host = trained(recipe, name="host.h5", **options)
        _, record = trained(recipe, decode="gpu", **options)
        assert record.sessions[-1]["decoder"].startswith("torchvision ")
        assert record.metrics["train"]["loss"] == pytest.approx(host.metrics["train"]["loss"], rel=0.2)
        _, again = trained(recipe, name="again.h5", decode="gpu", **options)
        if deterministic:
            assert same(record, again) == []
