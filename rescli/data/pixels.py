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


class ColourInputs:
    """Training batches of at most `batch` images: pixels / 255 - mean + colour, in one buffer that every call writes anew.

    Memory that is new for each batch would cost more than the arithmetic. `mean` float32 [H, W, 3]; on the host each image is
    finished while it is in the processor's cache.
    """

    def __init__(self, mean: Tensor, batch: int) -> None:
        self._mean = mean
        self._buffer = torch.empty((batch, *mean.shape), device=mean.device)

    def __call__(self, pixels: Tensor, colour: Tensor) -> Tensor:
        """Uint8 [n, H, W, 3] and float32 [n, 3] -> float32 [n, 3, H, W], channels-last; valid until the next call."""
        x = self._buffer[: len(pixels)]
        if x.device.type == "cpu":
            # numpy, because PyTorch's own threads would fight with those that decode: that halves the speed of both.
            mean = self._mean.numpy()
            for into, image, shift in zip(x.numpy(), pixels.numpy(), colour.numpy(), strict=True):
                np.divide(image, np.float32(255), out=into)
                np.subtract(into, mean, out=into)
                np.add(into, shift, out=into)
        else:
            torch.div(pixels, 255.0, out=x).sub_(self._mean).add_(colour[:, None, None])
        return x.permute(0, 3, 1, 2)
