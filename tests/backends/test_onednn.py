"""Fused calls of oneDNN: the same function, and used or not whatever the weights are."""

from __future__ import annotations

import pytest
import torch

from rescli.backends import onednn
from rescli.backends.onednn import FusedResNet, fused
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.fold import folded
from rescli.models.resnet import ResNet
from tests.models.weights.others import randomized


def a_net() -> ResNet:
    net = folded(randomized(build(cifar_spec(20)), 1).eval())
    assert isinstance(net, ResNet)
    return net


def test_the_fused_net_is_the_same_function() -> None:
    net = a_net()
    other = fused(net)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert isinstance(other, FusedResNet)
    with torch.no_grad():
        torch.testing.assert_close(other(x), net(x), rtol=1e-4, atol=1e-4)


def test_whether_it_is_used_does_not_depend_on_the_weights() -> None:
    """A resumed run asks again, of other weights, and is to go on with the same bits."""
    for factor in (1.0, 1e4, float("nan")):
        net = a_net().to(torch.bfloat16)
        net.fc.weight.detach().mul_(factor)
        assert isinstance(fused(net), FusedResNet)


def test_asking_draws_no_random_numbers() -> None:
    net = a_net()
    onednn._as_expected.cache_clear()
    before = torch.get_rng_state()
    fused(net)
    assert torch.equal(torch.get_rng_state(), before)


def test_operators_that_compute_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    net = a_net()
    onednn._as_expected.cache_clear()
    monkeypatch.setattr(onednn, "_convolve", lambda conv, x, *_: conv(x))
    try:
        assert fused(net) is net
    finally:
        onednn._as_expected.cache_clear()
