"""Blocks compiled by PyTorch's own compiler, once for each distinct shape: five of them, at depth 20 as at depth 1202."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import nn

from rescli.backends.fallback import fall_back
from rescli.models.blocks import PlainBlock

SHAPES = 256  # blocks of all shapes run the same code: so many versions of it may be compiled, not PyTorch's 8
# Without this, graphs whose convolutions have few channels, as all of CIFAR's, are compiled for NCHW, and every map is
# turned around twice a block.
OPTIONS: dict[str, str | int | bool | Callable[..., object]] = {
    "layout_optimization": True,
    "force_layout_optimization": True,
}


def compile_blocks(network: nn.Module) -> None:
    """Have every block compiled when it is first used with a shape. Its parameters are inputs of what is compiled."""
    torch._dynamo.config.recompile_limit = max(SHAPES, torch._dynamo.config.recompile_limit)
    for module in network.modules():
        if isinstance(module, PlainBlock):
            module.compile(dynamic=False, options=OPTIONS)


def uncompile(network: nn.Module) -> None:
    """Let every block run as it is written."""
    for module in network.modules():
        module._compiled_call_impl = None


class Rehearsal:
    """Runs something once for each number of images, before it counts, to see whether it can be compiled.

    Where it cannot, a warning says so once, and the network runs as it is written.
    """

    def __init__(self, network: nn.Module, rehearse: Callable[[int], None]) -> None:
        self._network, self._rehearse = network, rehearse
        self._done: set[int] = set()
        self.failure: str | None = None

    def __call__(self, images: int) -> None:
        """Once for each number of images."""
        if images in self._done or self.failure is not None:
            return
        self._done.add(images)
        try:
            with warnings.catch_warnings():  # the compiler looks at things that PyTorch itself warns of
                warnings.simplefilter("ignore")
                self._rehearse(images)
        except Exception as error:
            self.failure = fall_back("the network cannot be compiled here, it runs as it is written", error)
            uncompile(self._network)
