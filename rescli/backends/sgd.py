"""SGD with momentum and weight decay (Sec. 3.4), in the paper's form and in PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor

from rescli.backends.base import Sgd
from rescli.backends.flat import FlatParameters


class MomentumSgd:
    """With g the gradient plus the weight decay, m the momentum and w the weights, a step at learning rate lr is

    pytorch:  v = m v + g,     w = w - lr v
    caffe:    v = m v + lr g,  w = w - v      (the paper's framework)

    The two differ only after a change of lr, where Caffe's v still moves at the old rate. PyTorch's own `torch.optim.SGD` has
    the first form only, makes its momentum in the first step, which so cannot be captured, and goes through the parameters
    one by one.
    """

    def __init__(self, flat: FlatParameters, settings: Sgd) -> None:
        self._settings, self._flat = settings, flat
        self._velocity = torch.zeros_like(flat.values)
        self._decaying = len(flat.values) if settings.decay == "all" else flat.convolutions
        self.momentum = dict(zip(flat.names, flat.views(self._velocity), strict=True))
        """The buffers v by the name of their parameter. Zero at first, so that the first step is like every other."""

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """Move the weights at a learning rate that lies on the device. Uses the gradients up; does not wait for the device."""
        settings, weights, gradients, velocity = (
            self._settings,
            self._flat.values,
            self._flat.gradients,
            self._velocity,
        )
        if settings.weight_decay:
            gradients[: self._decaying].add_(weights[: self._decaying], alpha=settings.weight_decay)
        velocity.mul_(settings.momentum)
        if settings.momentum_form == "caffe":
            velocity.addcmul_(gradients, rate)
            weights.sub_(velocity)
        else:
            velocity.add_(gradients)
            weights.addcmul_(velocity, rate, value=-1)
        self._flat.refresh()
