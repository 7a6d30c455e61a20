"""Scores of images in several views, by a folded net: crops of one size, or whole images of any size (Sec. 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rescli.backends.base import Look
from rescli.backends.compiled import compile_blocks, uncompile
from rescli.backends.fallback import fall_back
from rescli.models.dense import dense_head
from rescli.models.fold import folded

PIXELS = {"cpu": 16 * 224 * 224, "cuda": 256 * 224 * 224}
"""Of the views that go through a network together; elsewhere as on the processor."""


class Scorer:
    """A network ready to score: BN folded, weights in the arithmetic's precision. Later changes of `network` do not matter."""

    def __init__(
        self,
        network: nn.Module,
        *,
        bf16: bool,
        device: torch.device,
        finish: Callable[[nn.Module], nn.Module],
        compiled: bool = False,
    ) -> None:
        self._bf16, self._device, self._compiled = bf16, device, compiled
        self._pixels = PIXELS.get(device.type, PIXELS["cpu"])
        fresh = folded(network.eval())
        self._network: Any = fresh.to(torch.bfloat16) if bf16 and fresh is not network else fresh
        if compiled:
            compile_blocks(self._network)
        self._run: Any = finish(self._network)
        self._autocast = bf16 and fresh is network

    @torch.no_grad()
    def __call__(self, feed: nn.Module, pixels: npt.NDArray[np.uint8], look: Look) -> npt.NDArray[np.float64]:
        """Mean scores [n, classes] of views uint8 [n, views, 3, H, W]."""
        n, views = pixels.shape[:2]
        flat = torch.from_numpy(np.ascontiguousarray(pixels)).flatten(0, 1)
        at_once = max(1, self._pixels // (flat.shape[2] * flat.shape[3]))
        parts = [self._of(feed, part.to(self._device), look) for part in torch.split(flat, at_once)]
        scores: npt.NDArray[np.float64] = torch.cat(parts).view(n, views, -1).mean(1).cpu().numpy()
        return scores

    def _of(self, feed: nn.Module, pixels: Tensor, look: Look) -> Tensor:
        """Scores float64 [n, classes] of pixels [n, 3, H, W]. A mean image is not mirrored with them, as in training."""
        scores = self._positions(feed(pixels), look)
        if look.mirrored:
            scores = (scores + self._positions(feed(pixels.flip(3)), look)) / 2
        return scores

    def _positions(self, x: Tensor, look: Look) -> Tensor:
        if self._bf16 and not self._autocast:
            x = x.to(torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            if look.pooling is None:
                logits = self._logits(x)[:, :, None, None]
            else:
                maps = self._run.features(x)
                logits = dense_head(self._network, maps, look.pooling)  # type: ignore[arg-type]
        logits = logits.double()
        scores: Tensor = logits.softmax(1) if look.average == "softmax" else logits
        return scores.mean((2, 3))

    def _logits(self, x: Tensor) -> Tensor:
        """Of one view each, [n, classes]; as it is written where it cannot be compiled."""
        try:
            logits: Tensor = self._run(x)
        except Exception as error:
            if not self._compiled:
                raise
            fall_back("the network cannot be compiled here, it runs as it is written", error)
            uncompile(self._network)
            self._compiled = False
            return self._logits(x)
        return logits
