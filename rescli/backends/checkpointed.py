"""Activation checkpointing: blocks keep their input and compute the rest again when the backward pass needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rescli.models.blocks import PlainBlock


def checkpoint_blocks(network: nn.Module) -> None:
    """Have every block keep its input only. The same results, bit for bit, in less memory and about a third more time."""
    for module in network.modules():
        if isinstance(module, PlainBlock):
            module.forward = partial(_forward, module, module.forward)  # type: ignore[method-assign]


def _forward(block: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if not block.training:
        return forward(x)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(block)

    # No layer draws random numbers, and keeping their state would wait for the device.
    y: Tensor = checkpoint(forward, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)
    return y


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """The second time BN sees a batch, its running statistics have counted it already: copies of them do."""
    layers = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [dict(layer._buffers) for layer in layers]
    for layer in layers:
        layer._buffers |= {name: None if value is None else value.clone() for name, value in layer._buffers.items()}
    try:
        yield
    finally:
        for layer, buffers in zip(layers, kept, strict=True):
            layer._buffers |= buffers
