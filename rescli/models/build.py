"""A spec turned into an `nn.Module`, and its initialization."""

from __future__ import annotations

import math
from typing import TypeAlias, overload

import torch
from torch import nn

from rescli.models.operators import layers
from rescli.models.resnet import ResNet
from rescli.models.spec import NetworkSpec, Spec, VggSpec
from rescli.models.vgg import Vgg

Network: TypeAlias = ResNet | Vgg


@overload
def build(spec: NetworkSpec, *, seed: int = ..., bn_groups: int = ...) -> ResNet: ...
@overload
def build(spec: VggSpec, *, seed: int = ..., bn_groups: int = ...) -> Vgg: ...
@overload
def build(spec: Spec, *, seed: int = ..., bn_groups: int = ...) -> Network: ...
def build(spec: Spec, *, seed: int = 0, bn_groups: int = 1) -> Network:
    """The network of `spec` on the CPU, initialized from `seed`. `bn_groups`: see `BatchNorm`."""
    net = bare(spec, bn_groups=bn_groups)
    initialize(net, seed)
    return net


def bare(spec: Spec, *, bn_groups: int = 1) -> Network:
    """The network of `spec`, its weights not set: for those who bring their own, or want shapes alone."""
    return Vgg(spec) if isinstance(spec, VggSpec) else ResNet(spec, bn_groups=bn_groups)


@torch.no_grad()
def initialize(net: Network, seed: int) -> None:
    """[12]: zero-mean Gaussian weights with std sqrt(2 / fan_in), zero biases; BN begins with weight 1, bias 0.

    [12] treats a fully-connected layer as a convolution with a 1x1 kernel, and so do we.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in layers(net.spec):
        module = net.get_submodule(layer.name)
        assert isinstance(module, (nn.Conv2d, nn.Linear))
        module.weight.normal_(0.0, math.sqrt(2 / layer.fan_in), generator=generator)
        if module.bias is not None:
            module.bias.zero_()
