"""The VGG nets as an `nn.Module`, with torchvision's names of layers."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.blocks import Conv, Linear
from rescli.models.operators import VGG_MAP
from rescli.models.spec import VggSpec


class Vgg(nn.Module):
    """Stages of 3x3 convolutions with ReLU, max pooling after each; three fc layers, dropout 0.5 behind the first two.

    Images [N, 3, H, W] -> logits [N, classes]. At other sizes than 224 the last map is averaged to 7x7, as torchvision does.
    """

    def __init__(self, spec: VggSpec) -> None:
        super().__init__()
        self.spec = spec
        features: list[nn.Module] = []
        channels_in = 3
        for stage in spec.stages:
            for channels in stage:
                features += [Conv(channels_in, channels, 3, bias=True), nn.ReLU(inplace=True)]
                channels_in = channels
            features.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*features)
        classifier: list[nn.Module] = []
        width = channels_in * VGG_MAP * VGG_MAP
        for hidden in spec.hidden:
            classifier += [Linear(width, hidden), nn.ReLU(inplace=True), nn.Dropout()]
            width = hidden
        self.classifier = nn.Sequential(*classifier, Linear(width, spec.classes))

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, classes]."""
        x = self.features(x)
        if x.shape[2:] != (VGG_MAP, VGG_MAP):
            x = F.adaptive_avg_pool2d(x, VGG_MAP)
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
