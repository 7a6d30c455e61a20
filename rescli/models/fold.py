"""BN folded into the convolution in front of it, for evaluation: one pass over every map less."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rescli.models.operators import operators
from rescli.models.resnet import ResNet


def folded(network: nn.Module) -> nn.Module:
    """A net of the same function (up to rounding) without BN layers, in evaluation mode; the given one stays as it is.

    The given one itself comes back where folding would change what is seen or computed: where somebody listens to its modules,
    where BN has no statistics of its own, and where it is not a net that we know the inside of.
    """
    if not isinstance(network, ResNet) or any(module._forward_hooks for module in network.modules()):
        return network
    if any(isinstance(module, nn.BatchNorm2d) and module.running_mean is None for module in network.modules()):
        return network
    fused = copy.deepcopy(network).eval()
    previous = ""
    for operator in operators(network.spec):
        if operator.kind == "bn":
            convolution, norm = fused.get_submodule(previous), fused.get_submodule(operator.name)
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            fused.set_submodule(previous, fuse_conv_bn_eval(convolution, norm))
            fused.set_submodule(operator.name, nn.Identity())
        previous = operator.name
    return fused
