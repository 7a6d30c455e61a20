"""Pixels to the inputs of an ImageNet net, on the device that they are on."""

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
