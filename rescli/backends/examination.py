"""Testing images as a function of tensors that stay where they are, like `TrainingStep`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.backends.compiled import compile_blocks
from rescli.backends.step import taken
from rescli.models.fold import folded


class Examination:
    """Loss and errors of single original views of images, with BN folded and all weights in the arithmetic's precision.

    The folded net is made once and its weights are written anew before every evaluation, so that what was recorded or
    compiled of it stays valid. Where somebody listens to the modules of `network`, it runs itself, under autocast.
    """

    def __init__(
        self,
        network: nn.Module,
        feed: nn.Module,
        classes: int,
        *,
        bf16: bool,
        device: torch.device,
        compiled: bool = False,
        finish: Callable[[nn.Module], nn.Module] = lambda network: network,
    ) -> None:
        self._network, self._feed, self._bf16, self._device = network, feed, bf16, device
        self._compiled, self._finish = compiled, finish
        self._folded: nn.Module | None = None
        self._finished: nn.Module | None = None
        self._run: nn.Module = network
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.images = torch.zeros(classes, dtype=torch.int64, device=device)
        self.errors = torch.zeros_like(self.images)
        self._row = torch.zeros((), dtype=torch.int64, device=device)
        self._rows = torch.arange(len(feed), device=device)  # type: ignore[arg-type]
        self._plan: tuple[Tensor, ...] = ()

    def begin(self, first: int) -> None:
        """Start over, at image `first`, with the weights as they are now."""
        self._network.eval()
        fresh = folded(self._network)
        if fresh is self._network:
            self._run = fresh
        else:
            self._take(fresh.to(torch.bfloat16) if self._bf16 else fresh)
        for total in (self.loss, self.images, self.errors):
            total.zero_()
        self._row.fill_(first)

    @property
    def settled(self) -> bool:
        """Whether a folded net does the work: only its weights change then, and what was recorded of it still holds."""
        return self._run is not self._network

    def follow(self, plan: Sequence[Tensor]) -> None:
        """Take a plan that brings its images; the next ones are those of its first rows."""
        self._plan = taken(self._plan, plan, len(self._rows), self._device)
        self._row.zero_()

    @torch.no_grad()
    def __call__(self, images: int) -> None:
        """The next so many images."""
        x, y = self._batch(images)
        logits = self._logits(x)
        self.loss += F.cross_entropy(logits, y, reduction="sum").double()
        self.images.scatter_add_(0, y, torch.ones_like(y))
        self.errors.scatter_add_(0, y, (logits.argmax(1) != y).long())
        self._row += images

    @torch.no_grad()
    def rehearse(self, images: int) -> None:
        """A forward pass on the next images of which nothing is kept."""
        self._logits(self._batch(images)[0])

    def _batch(self, images: int) -> tuple[Tensor, Tensor]:
        rows = self._rows[:images] + self._row
        plan = [part.index_select(0, rows) for part in self._plan] or [rows]
        found: tuple[Tensor, Tensor] = self._feed(*plan)
        return found

    @property
    def module(self) -> nn.Module:
        """What runs."""
        return self._run

    def _logits(self, x: Tensor) -> Tensor:
        if self.settled:
            logits: Tensor = self._run(x.to(torch.bfloat16) if self._bf16 else x)
        else:
            with self._autocast():
                logits = self._run(x)
        return logits.float()

    @torch.no_grad()
    def _take(self, fresh: nn.Module) -> None:
        if self._folded is None or self._finished is None:
            if self._compiled:
                compile_blocks(fresh)
            self._folded, self._finished = fresh, self._finish(fresh)
            self._run = self._finished
            return
        for mine, new in zip(self._folded.parameters(), fresh.parameters(), strict=True):
            mine.copy_(new)
        self._run = self._finished

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)
