"""SGD with momentum and weight decay (Sec. 3.4), in the paper's form and in PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rescli.backends.base import Sgd


class MomentumSgd:
    """With g the gradient plus the weight decay, m the momentum and w the weights, a step at learning rate lr is

    pytorch:  v = m v + g,     w = w - lr v
    caffe:    v = m v + lr g,  w = w - v      (the paper's framework)

    The two differ only after a change of lr, where Caffe's v still moves at the old rate. PyTorch's own `torch.optim.SGD` has
    the first form only, and loads its compiler when it is made, which takes longer than everything else before a first step.
    """

    def __init__(self, network: nn.Module, settings: Sgd) -> None:
        self._settings = settings
        named = dict(network.named_parameters())
        self.momentum = {name: torch.zeros_like(parameter) for name, parameter in named.items()}
        """The buffers v by the name of their parameter. Zero at first, so that the first step is like every other."""
        self._parameters = list(named.values())
        self._velocities = list(self.momentum.values())
        # A convolution's weight is the only parameter with four dimensions.
        self._decays = [settings.decay == "all" or parameter.ndim == 4 for parameter in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the weights. Uses the gradients up. Does not wait for the device."""
        settings, velocities = self._settings, self._velocities
        gradients: list[Tensor] = []
        for parameter in self._parameters:
            assert parameter.grad is not None
            gradients.append(parameter.grad)
        weights: list[Tensor] = [parameter.data for parameter in self._parameters]
        if settings.weight_decay:
            decaying = [number for number, decays in enumerate(self._decays) if decays]
            torch._foreach_add_(
                [gradients[number] for number in decaying],
                [weights[number] for number in decaying],
                alpha=settings.weight_decay,
            )
        torch._foreach_mul_(velocities, settings.momentum)
        if settings.momentum_form == "caffe":
            torch._foreach_add_(velocities, gradients, alpha=learning_rate)
            torch._foreach_sub_(weights, velocities)
        else:
            torch._foreach_add_(velocities, gradients)
            torch._foreach_add_(weights, velocities, alpha=-learning_rate)
