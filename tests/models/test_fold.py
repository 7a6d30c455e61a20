"""Folding BN into convolutions changes no answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rescli.models.build import build
from rescli.models.fold import folded
from rescli.models.names import network
from rescli.models.norm import use_batch_statistics
from tests.models.weights.others import randomized


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet20-c", "resnet18-b", "plain50", "resnet50"])
def test_the_same_logits_without_bn(name: str) -> None:
    net = build(network(name, classes=10))
    randomized(net)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    fast = folded(net)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    expected = net(x)
    torch.testing.assert_close(fast(x), expected, rtol=1e-4, atol=1e-4 * float(expected.detach().abs().max()))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_a_net_that_somebody_listens_to_stays_whole() -> None:
    net = randomized(build(network("resnet20")))
    heard: list[int] = []
    net.get_submodule("bn1").register_forward_hook(lambda *_: heard.append(1))
    assert folded(net) is net
    other = build(network("resnet20"))
    use_batch_statistics(other)
    assert folded(other) is other
    module = nn.Conv2d(3, 3, 1)
    assert folded(module) is module
