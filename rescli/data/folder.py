"""Photographs as inputs of a network, decoded as they are asked for: ImageNet and parts of it, in folders or packed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rescli.data.decode import decode
from rescli.data.listing import Photographs
from rescli.data.order import EpochPlan
from rescli.data.pixels import Normalized
from rescli.data.views import center_view
from rescli.errors import DataError

SHORTER_SIDE = 256 / 224
"""The shorter side of an image before its center is cut out, for each pixel of the crop (Sec. 3.4: 256 and 224)."""


class FolderImages(nn.Module):
    """The center crops of photographs, as a feed: `images(rows)` decodes these rows.

    `spread` images are taken evenly from all classes, so that some of them stand for all. Inputs are as in
    training and testing (`Normalized`). Raises `DataError` where labels are missing.
    """

    def __init__(
        self,
        photographs: Photographs,
        *,
        size: int,
        mean: npt.NDArray[np.float32],
        std: npt.NDArray[np.float32],
        divisor: float,
        spread: int | None,
    ) -> None:
        super().__init__()
        if not photographs.labelled:
            raise DataError(
                f"{photographs.root}: holds no images in folders of their classes",
                "Name another folder: --dataset DIR.",
            )
        self.photographs = photographs
        count = len(photographs) if spread is None else min(spread, len(photographs))
        self.rows = [i * len(photographs) // count for i in range(count)]
        self.size = size
        self.normalized = Normalized(mean, std, divisor)

    def __len__(self) -> int:
        return len(self.rows)

    def forward(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images float32 [n, 3, size, size] and labels int64 [n] of these rows. Raises `DataError` for a damaged file."""
        device = index.device
        rows = [self.rows[row] for row in index.tolist()]
        try:
            crops = np.stack([self._crop(row) for row in rows])
        except DataError as error:
            raise DataError(error.message, "Fetch it anew, or take it out.") from error
        pixels = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2)
        labels = torch.from_numpy(self.photographs.labels[rows]).to(device)
        return self.normalized(pixels).contiguous(memory_format=torch.channels_last), labels

    def _crop(self, row: int) -> npt.NDArray[np.uint8]:
        return center_view(decode(self.photographs.opened(row)), round(self.size * SHORTER_SIDE), self.size)

    def plan_tensors(self, plan: EpochPlan) -> tuple[Tensor, ...]:
        """An epoch's order as a host tensor; these are center crops, which nothing augments."""
        return (torch.from_numpy(plan.index),)
