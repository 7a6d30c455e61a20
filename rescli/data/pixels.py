"""Pixels to the inputs of an ImageNet net: in testing of any size, in training with their colours shifted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class Normalized(nn.Module):
    """(pixels / divisor - mean) / std, as `models.weights.bundle.Preprocessing` says.

    A mean image is subtracted where the input has its size; elsewhere its mean by channel stands for it, as for the
    original nets' mean image.
    """

    image: Tensor | None
    mean: Tensor
    std: Tensor
    divisor: Tensor

    def __init__(self, mean: npt.NDArray[np.float32], std: npt.NDArray[np.float32], divisor: float) -> None:
        super().__init__()
        image = torch.from_numpy(np.asarray(mean, np.float32)).clone()
        channels = image.mean((0, 1)) if image.ndim == 3 else image
        buffers = {
            "image": image.permute(2, 0, 1).contiguous() if image.ndim == 3 else None,
            "mean": channels.view(3, 1, 1),
            "std": torch.from_numpy(np.asarray(std, np.float32)).clone().view(3, 1, 1),
            "divisor": torch.tensor(divisor),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Uint8 [n, 3, H, W] -> float32 [n, 3, H, W]."""
        mean = self.image if self.image is not None and self.image.shape == pixels.shape[1:] else self.mean
        return (pixels.float() / self.divisor - mean) / self.std


class PhotographFeed(nn.Module):
    """Batches of at most `batch` photographs of one size, as they enter a network: pixels / 255 - mean + colour.

    `mean` float32 [H, W, 3]. On the host inputs lie in one buffer that every call writes anew (memory that is new for each
    batch would cost more than the arithmetic), and each image is finished while it is in the processor's cache.
    """

    mean: Tensor
    _white: Tensor

    def __init__(self, mean: npt.NDArray[np.float32], batch: int) -> None:
        super().__init__()
        self._batch = batch
        self._buffer: npt.NDArray[np.float32] | None = None
        self.register_buffer("mean", torch.from_numpy(np.array(mean, np.float32)), persistent=False)
        self.register_buffer("_white", torch.tensor(255.0), persistent=False)

    def __len__(self) -> int:
        """The most images that come together."""
        return self._batch

    def forward(self, pixels: Tensor, labels: Tensor, colour: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Uint8 [n, H, W, 3], int64 [n], and colours float32 [n, 3] in 0..1 of an augmented batch.

        Returns float32 [n, 3, H, W], channels-last and on the host valid until the next call, and the labels.
        """
        if pixels.device.type == "cpu":
            x = self._on_the_host(pixels, colour)
        else:
            x = pixels.float() / self._white - self.mean
            x = x if colour is None else x + colour[:, None, None]
        return x.permute(0, 3, 1, 2), labels

    def _on_the_host(self, pixels: Tensor, colour: Tensor | None) -> Tensor:
        # numpy, because PyTorch's own threads would fight with those that decode: that halves the speed of both.
        if self._buffer is None:
            self._buffer = np.empty((self._batch, *self.mean.shape), np.float32)
        x, mean = self._buffer[: len(pixels)], self.mean.numpy()
        for number, (into, image) in enumerate(zip(x, pixels.numpy(), strict=True)):
            np.divide(image, np.float32(255), out=into)
            np.subtract(into, mean, out=into)
            if colour is not None:  # rows, because numpy would add three numbers at a time: ten times as slow
                rows = into.reshape(len(into), -1)
                np.add(rows, np.tile(colour[number].numpy(), into.shape[1]), out=rows)
        return torch.from_numpy(x)
