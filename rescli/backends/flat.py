"""All parameters of a network in one buffer: one cast, one SGD, one all-reduce, instead of a thousand small kernels.

At depth 1202 there are 3,605 parameters. What is done to each of them by itself costs more than the arithmetic of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

ALIGNED = 8
"""Every parameter begins at a multiple of so many values: 16 bytes in bf16. CUDA's kernels load so much at once, and cuDNN's
batch normalization does not ask first whether it may."""


class FlatParameters:
    """The parameters of `network` as views of one fp32 buffer; and what the forward pass shall use, in bf16 where asked for.

    Their order is: weights of convolutions, other weights and biases next to them, and last those of BN, which stay fp32 as
    autocast keeps them. So what decays, and what has a copy in bf16, are beginnings of the buffer. Where a parameter does
    not end at a multiple of `ALIGNED` there are zeros behind it, which stay zero.
    """

    def __init__(self, network: nn.Module, *, bf16: bool) -> None:
        ordered = _ordered(network)
        weighted = _weighted(network)
        self.names = [name for name, _ in ordered]
        self.convolutions = _room(parameter for parameter in weighted if parameter.ndim == 4)
        """Where in the buffer the weights of convolutions end."""
        device = ordered[0][1].device
        self._like = [parameter for _, parameter in ordered]
        self.values = torch.zeros(_room(self._like), device=device)
        self.gradients = torch.zeros_like(self.values)
        for view, (_, parameter) in zip(self.views(self.values), ordered, strict=True):
            view.copy_(parameter.detach())
            parameter.data = view
        self._low_count = len(weighted) if bf16 else 0
        self._low = torch.zeros(_room(weighted) if bf16 else 0, dtype=torch.bfloat16, device=device)
        self.leaves = self._leaves()
        """What the forward pass computes with, in the order of `names`: gradients are taken with respect to these."""
        self._places = [_place(network, name) for name in self.names]
        self._gradient_views = self.views(self.gradients)
        self.refresh()

    def views(self, buffer: Tensor) -> list[Tensor]:
        """A buffer of this length in the shapes and memory orders of the parameters."""
        found, offset = [], 0
        for parameter in self._like:
            found.append(buffer.as_strided(parameter.shape, parameter.stride(), offset))
            offset += _room([parameter])
        return found

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the values that changed to where the forward pass reads them."""
        if len(self._low):
            self._low.copy_(self.values[: len(self._low)])

    @torch.no_grad()
    def gather(self, gradients: Sequence[Tensor], *, add: bool = False) -> None:
        """Put gradients, in the order of `names`, into the one buffer, in fp32; or add them to what is there."""
        if add:
            torch._foreach_add_(self._gradient_views, [gradient.float() for gradient in gradients])
        else:
            # What comes in bf16 by itself: a mixture would be copied tensor by tensor.
            for part in (slice(None, self._low_count), slice(self._low_count, None)):
                if some := list(gradients[part]):
                    torch._foreach_copy_(self._gradient_views[part], some)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While entered, the network's modules hold `leaves`: around a forward pass and its backward pass."""
        self._put(self.leaves)
        try:
            yield
        finally:
            self._put(self._like)

    def _put(self, parameters: Sequence[nn.Parameter]) -> None:
        if len(self._low):
            for (module, name), parameter in zip(self._places, parameters, strict=True):
                module._parameters[name] = parameter

    def _leaves(self) -> list[nn.Parameter]:
        found, offset = [], 0
        for parameter in self._like:
            if offset < len(self._low):
                parameter_low = self._low.as_strided(parameter.shape, parameter.stride(), offset)
                found.append(nn.Parameter(parameter_low))
            else:
                found.append(parameter)
            offset += _room([parameter])
        return found


def _room(parameters: Iterable[nn.Parameter]) -> int:
    """How many values of a buffer these parameters take, each from a multiple of `ALIGNED` to the next."""
    return sum(-(-parameter.numel() // ALIGNED) * ALIGNED for parameter in parameters)


def _place(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    module, _, parameter = name.rpartition(".")
    return network.get_submodule(module), parameter


def _weighted(network: nn.Module) -> list[nn.Parameter]:
    """Parameters of convolutions and fully-connected layers."""
    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    return [parameter for layer in layers for parameter in layer.parameters(recurse=False)]


def _ordered(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    weighted = {id(parameter) for parameter in _weighted(network)}

    def place(item: tuple[str, nn.Parameter]) -> int:
        parameter = item[1]
        if id(parameter) not in weighted:
            return 3
        return {4: 0, 2: 1}.get(parameter.ndim, 2)

    return sorted(network.named_parameters(), key=place)
