"""Classifiers at every position of a larger image: "the fully-convolutional form" (Sec. 3.4), fc layers as convolutions."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.blocks import Linear
from rescli.models.operators import VGG_MAP, last_map
from rescli.models.resnet import ResNet
from rescli.models.vgg import Vgg

Pooling: TypeAlias = Literal["windows", "global"]
"""windows: average pooling as large as the map in training (7x7), with stride 1, and scores at every position. global: the
average of the whole map, and one score."""

STRIDE = 32
"""Pixels of the input to one of a VGG net's last map."""


def dense_head(network: nn.Module, maps: Tensor, pooling: Pooling) -> Tensor:
    """Logits [N, classes, H', W'] from the last map, [N, C, H, W], of `network` (for a VGG net, after its last pooling).

    A map that is smaller than a window is averaged as a whole.
    """
    if isinstance(network, Vgg):
        return _vgg(network, maps, pooling)
    assert isinstance(network, ResNet), type(network)
    size = last_map(network.spec)
    if pooling == "windows":
        pooled = F.avg_pool2d(maps, (min(size, maps.shape[2]), min(size, maps.shape[3])), 1)
    else:
        pooled = maps.mean((2, 3), keepdim=True)
    return F.conv2d(pooled, network.fc.weight[:, :, None, None], network.fc.bias)


def _vgg(network: Vgg, maps: Tensor, pooling: Pooling) -> Tensor:
    """The first fc layer is a 7x7 convolution, the others 1x1. For "global" the map is averaged to 7x7, not to one value.

    So is every window where training's map was of another size.
    """
    size = network.spec.input_size // STRIDE  # pooling rounds down
    if pooling == "windows" and size != VGG_MAP and min(maps.shape[2:]) >= size:
        windows = maps.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 1, 4, 5)  # [N, H', W', C, size, size]
        logits: Tensor = network.classifier(F.adaptive_avg_pool2d(windows.flatten(0, 2), VGG_MAP).flatten(1))
        return logits.reshape(*windows.shape[:3], -1).permute(0, 3, 1, 2)
    if pooling == "global" or min(maps.shape[2:]) < VGG_MAP:
        maps = F.adaptive_avg_pool2d(maps, VGG_MAP)
    x, side = maps, VGG_MAP
    for layer in network.classifier:
        if isinstance(layer, Linear):
            x = F.conv2d(x, layer.weight.view(layer.out_features, -1, side, side), layer.bias)
            side = 1
        else:
            x = layer(x)
    return x
