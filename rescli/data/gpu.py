"""Training images decoded by the GPU that trains (Sec. 3.4): JPEGs go over as they are, and become crops where they are needed.

The crops are those of `data.scaled`, of the same seed and epoch. Their pixels differ: by about a level of 255 on average and by
tens where colours meet, because nvJPEG does not interpolate colour, which most JPEGs hold at half the resolution; and where
Pillow decodes a large JPEG at 1/2, 1/4 or 1/8, which is not done here. Files that a GPU would decode wrongly or not at all are
decoded by Pillow, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from rescli.data.decode import in_parallel, opened_stream
from rescli.data.listing import Photographs
from rescli.data.order import Order
from rescli.data.scaled import Augmentation, placed, training_view
from rescli.data.stream import BATCHES_AHEAD, Batch, Slot, everything, slots
from rescli.errors import BackendError, DataError

END = b"\xff\xd9"
"""The last two bytes of a whole JPEG."""

RED_GREEN_BLUE = [82, 71, 66]
"""Names of a JPEG's components that say that they are not YCbCr."""

JpegDevice: TypeAlias = torch.device
"""Where JPEGs are decoded, for those who only hand it on."""

Loaded: TypeAlias = bytes | npt.NDArray[np.uint8]
"""A JPEG for the GPU, or a crop that the host has made."""


@dataclass(frozen=True, eq=False)
class _Row:
    """One image of a batch to come."""

    slot: Slot
    number: int

    @property
    def image(self) -> int:
        """Which of the photographs it is."""
        return int(self.slot.plan.index[self.number])

    @property
    def place(self) -> tuple[int, int, int, bool]:
        """As `training_view` takes it."""
        return self.slot.plan.place(self.number)


def decoder(device: torch.device) -> str:
    """The library that decodes there, and its version: another one may give other pixels."""
    import torchvision  # takes seconds

    where = f"nvJPEG of CUDA {torch.version.cuda}" if device.type == "cuda" else "libjpeg"
    return f"torchvision {torchvision.__version__}, {where}"


def check_decoder(device: torch.device) -> None:
    """Raises `BackendError` where `device` cannot decode the smallest of JPEGs: PyTorch may have been built without."""
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    try:
        _decode([file.getvalue()], device)
    except (RuntimeError, ImportError, AttributeError) as error:
        raise BackendError(f"{device} decodes no JPEGs: {error}", "Name --decode cpu.") from error


def batches_on(
    device: torch.device,
    images: Photographs,
    order: Order,
    how: Augmentation,
    *,
    batch: int,
    workers: int,
    first: int = 0,
    share: Callable[[int], tuple[int, int]] = everything,
) -> Generator[Batch[Tensor], None, None]:
    """As `stream.training_batches`, with pixels that lie on `device`: uint8 [n, size, size, 3].

    `workers` threads read files; one more has the device decode, crop and resize, `BATCHES_AHEAD` batches ahead, on a stream
    of its own. Raises `DataError` for a damaged image.
    """
    coming: list[Slot] = []

    def rows() -> Iterator[_Row]:
        for slot in slots(order, how, batch, first, share):
            coming.append(slot)
            yield from (_Row(slot, number) for number in range(slot.rows.start, slot.rows.stop))

    def together() -> Iterator[tuple[Slot, list[Loaded] | DataError]]:
        while True:
            try:
                loaded = [next(read)]  # from here on its batch is announced
                slot = coming.pop(0)
                loaded += islice(read, slot.rows.stop - slot.rows.start - 1)
            except DataError as error:  # in its turn: the batches before are whole, and may be all that is wanted
                yield coming[0] if coming else slot, error
                return
            yield slot, loaded

    read = in_parallel(
        lambda row: _load(images, row, how.size), rows(), workers=workers, ahead=BATCHES_AHEAD * share(batch)[1]
    )
    maker = _Maker(device, images, how.size)
    made = in_parallel(lambda each: maker(*each), together(), workers=1, ahead=BATCHES_AHEAD)
    try:
        yield from made
    finally:
        made.close()
        read.close()


def _load(images: Photographs, row: _Row, size: int) -> Loaded:
    data = images.read(row.image)
    with opened_stream(BytesIO(data), str(images.root / images.files[row.image])) as image:
        if decodable(data, image):
            return data
    return training_view(images.opened(row.image), *row.place, size)


def decodable(data: bytes, image: Image.Image) -> bool:
    """Whether a GPU sees in `data` what `image`, which is open and not decoded, will be on the host.

    Grey and YCbCr JPEGs that are whole. It would take CMYK and RGB for YCbCr, and fill up a truncated one.
    """
    if image.format != "JPEG" or not data.rstrip(b"\0").endswith(END):
        return False
    names = [component[0] for component in getattr(image, "layer", [])]
    colours = image.mode == "RGB" and image.info.get("adobe_transform", 1) == 1 and names != RED_GREEN_BLUE
    return image.mode == "L" or colours


class _Maker:
    """What was loaded of a batch becomes its pixels on the device."""

    def __init__(self, device: torch.device, images: Photographs, size: int) -> None:
        self._device, self._images, self._size = device, images, size
        # Of another priority, and so never one of the few that PyTorch hands out in turn: those of training are captured.
        self._stream = torch.cuda.Stream(device, priority=-1) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def __call__(self, slot: Slot, loaded: Sequence[Loaded] | DataError) -> Batch[Tensor]:
        if isinstance(loaded, DataError):
            raise loaded
        if self._stream is not None:
            torch.cuda.set_device(self._device)  # a new thread begins on the first GPU, whichever this process has
        with torch.no_grad(), nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            pixels = self._pixels(slot, loaded)
        if self._stream is not None:
            self._stream.synchronize()  # whoever takes the batch uses another stream; this thread has nothing else to do
        plan = slot.plan
        return Batch(pixels, self._images.labels[plan.index[slot.rows]], plan.colour[slot.rows], slot.images)

    def _pixels(self, slot: Slot, loaded: Sequence[Loaded]) -> Tensor:
        into = torch.empty((len(loaded), self._size, self._size, 3), dtype=torch.uint8, device=self._device)
        decoded = iter(self._decoded([one for one in loaded if isinstance(one, bytes)]))
        for number, one in enumerate(loaded):
            row = _Row(slot, slot.rows.start + number)
            whole = next(decoded) if isinstance(one, bytes) else None
            if whole is not None:
                into[number] = view(whole, *row.place, self._size)
            elif isinstance(one, bytes):  # the host says what is wrong with it, if anything is
                into[number] = _tensor(training_view(self._images.opened(row.image), *row.place, self._size))
            else:
                into[number] = _tensor(one)
        return into

    def _decoded(self, files: Sequence[bytes]) -> Sequence[Tensor | None]:
        """Uint8 [3, H, W] of each; None for one that the device cannot decode."""
        if not files:
            return []
        try:
            return _decode(files, self._device)
        except RuntimeError as error:  # at least one of them: they are decoded together or not at all
            _leave_if_full(error)
        found = [self._alone(data) for data in files]
        if all(one is None for one in found):
            check_decoder(self._device)  # else the files are to blame, and the host will say so
        return found

    def _alone(self, data: bytes) -> Tensor | None:
        try:
            return _decode([data], self._device)[0]
        except RuntimeError as error:
            _leave_if_full(error)
            return None


def _decode(files: Sequence[bytes], device: torch.device) -> list[Tensor]:
    """Uint8 [3, H, W] of each. Raises `RuntimeError`, whatever is wrong."""
    # Here and not above: torchvision will give it up for another package, without which nothing else should be.
    from torchvision.io import ImageReadMode, decode_jpeg

    sent = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    found: list[Tensor] = decode_jpeg(sent, mode=ImageReadMode.RGB, device=device)
    return found


def _leave_if_full(error: RuntimeError) -> None:
    """Raises `OutOfMemoryError` where that is what torchvision has put into words of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        raise error
    if "out of memory" in str(error):
        raise torch.OutOfMemoryError(str(error)) from error


def view(pixels: Tensor, shorter: int, down: int, across: int, flip: bool, size: int) -> Tensor:
    """The crop, uint8 [size, size, 3], of uint8 [3, H, W]: `scaled.training_view` where the pixels lie.

    Bilinear over all pixels that make one, first along rows, rounded, then along columns, as Pillow does it.
    """
    height, width = pixels.shape[1:]
    left, top, right, bottom = placed(width, height, (width, height), shorter, down, across, size)
    columns, rows = _Taps(left, right, size, width), _Taps(top, bottom, size, height)
    part = pixels[:, rows.begin : rows.end, columns.begin : columns.end].float()
    part = (part @ columns.weights(pixels.device).T).round_()
    crop = (rows.weights(pixels.device) @ part).round_().clamp_(0, 255).to(torch.uint8)
    return (crop.flip(2) if flip else crop).permute(1, 2, 0)


class _Taps:
    """Which of `pixels` in a row make `size` new ones between `start` and `stop`, and how much each counts."""

    def __init__(self, start: float, stop: float, size: int, pixels: int) -> None:
        self._start, self._size, self._scale = start, size, (stop - start) / size
        self._reach = max(self._scale, 1.0)
        self.begin = max(0, int(start - self._reach))
        self.end = min(pixels, int(stop + self._reach) + 1)

    def weights(self, device: torch.device) -> Tensor:
        """Float32 [size, end - begin]; each row's sum is 1."""
        middles = self._start + (torch.arange(self._size, device=device) + 0.5) * self._scale
        apart = torch.arange(self.begin, self.end, device=device) + 0.5 - middles[:, None]
        heights = (1 - apart.abs() / self._reach).clamp_(min=0)
        return heights / heights.sum(1, keepdim=True)


def _tensor(crop: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(crop.copy())  # Pillow's own memory is read-only
