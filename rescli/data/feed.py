"""Batches as they enter a network, made where the images lie (Sec. 4.2).

The whole data set stays on the device as uint8 (CIFAR-10: 154 MB); a batch is gathered, has the mean image subtracted, and is
cropped and mirrored there. No step waits for the host, and no shape depends on data, so the whole can be part of a CUDA graph.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.data.dataset import Images
from rescli.data.order import PADDING, EpochPlan


class ResidentImages(nn.Module):
    """Images in the memory of a device, and batches of them.

    `images` uint8 [N, H, W, 3], `labels` int64 [N] and `mean` float32 [H, W, 3] are buffers that move with `.to(device)` and
    stay out of the state_dict; there are no parameters. On the CPU the memory of `images` is shared, not copied.
    `std` float32 [3] and `divisor` are for nets from elsewhere: inputs are (pixels / divisor - mean) / std.
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor | None
    _white: Tensor
    _pixels: Tensor

    def __init__(
        self,
        images: Images,
        mean: npt.NDArray[np.float32],
        *,
        std: npt.NDArray[np.float32] | None = None,
        divisor: float = 255.0,
    ) -> None:
        super().__init__()
        assert mean.shape == images.images.shape[1:], mean.shape
        height, width = mean.shape[:2]
        assert height == width, "the flip and both offsets use the same range of pixels"
        # A tensor, because dividing by a Python number becomes a multiplication on CUDA, and the last bit differs.
        white = torch.tensor(divisor)
        buffers = {
            "images": torch.from_numpy(np.require(images.images, requirements=("C", "W"))),
            "labels": torch.from_numpy(np.require(images.labels, requirements=("C", "W"))),
            "mean": torch.from_numpy(mean.astype(np.float32)),
            "_white": white,
            "_pixels": torch.arange(height),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)
        # The paper divides by no standard deviation; weights from elsewhere may have been trained on inputs that were.
        self.register_buffer("std", None if std is None else torch.from_numpy(std.astype(np.float32)), persistent=False)

    def __len__(self) -> int:
        return len(self.labels)

    def forward(
        self, index: Tensor, dy: Tensor | None = None, dx: Tensor | None = None, flip: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Images and labels of the rows `index`, int64 [n].

        Returns float32 [n, 3, H, W], normalized and laid out channels-last, and int64 [n]. With `dy` and
        `dx`, int64 [n], and `flip`, bool [n] (all three, as in `EpochPlan`), each image is cropped and mirrored; without, it
        is the single original view. The padding is zero after the mean is subtracted, as in the paper's framework.
        """
        x = self.images.index_select(0, index).float() / self._white - self.mean
        if self.std is not None:
            x = x / self.std
        if dy is not None and dx is not None and flip is not None:
            x = self._crop(x, dy, dx, flip)
        else:
            assert dy is None, "dy, dx and flip belong together"
            assert dx is None, "dy, dx and flip belong together"
            assert flip is None, "dy, dx and flip belong together"
        return x.permute(0, 3, 1, 2), self.labels.index_select(0, index)

    def plan_tensors(self, plan: EpochPlan) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """An epoch's plan as host tensors; rows of the four are the arguments of `forward`."""
        return (
            torch.from_numpy(plan.index),
            torch.from_numpy(plan.dy),
            torch.from_numpy(plan.dx),
            torch.from_numpy(plan.flip),
        )

    def _crop(self, x: Tensor, dy: Tensor, dx: Tensor, flip: Tensor) -> Tensor:
        """Crops and mirrors x [n, H, W, 3] in one gather: of several formulations the fastest on a processor."""
        n, size = x.shape[:2]
        padded = size + 2 * PADDING
        x = F.pad(x, (0, 0, PADDING, PADDING, PADDING, PADDING))
        image = torch.arange(n, device=x.device)[:, None] * padded
        rows = (image + dy[:, None] + self._pixels) * padded  # [n, H]: where each row of the crop starts
        mirrored = torch.where(flip[:, None], size - 1 - self._pixels, self._pixels)
        columns = mirrored + dx[:, None]  # [n, W]
        pixels = (rows[:, :, None] + columns[:, None, :]).view(-1)
        return x.view(-1, 3).index_select(0, pixels).view(n, size, size, 3)
