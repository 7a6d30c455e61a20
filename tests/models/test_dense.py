"""Fully-convolutional nets against the ordinary ones, window by window."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rescli.models.build import build
from rescli.models.dense import dense_head
from rescli.models.names import network
from rescli.models.operators import last_map
from tests.models.weights.others import randomized


def net_of(name: str) -> Any:
    torch.manual_seed(0)
    net = build(network(name, classes=10))
    return (randomized(net) if not name.startswith("vgg") else net).eval()


@pytest.mark.parametrize("name", ["resnet18", "plain18", "resnet50", "vgg16"])
@pytest.mark.parametrize("pooling", ["windows", "global"])
@torch.no_grad()
def test_at_the_size_of_training_it_is_the_ordinary_network(name: str, pooling: str) -> None:
    net = net_of(name)
    x = torch.randn(1, 3, 224, 224)
    scores = dense_head(net, net.features(x), pooling)  # type: ignore[arg-type]
    assert scores.shape == (1, 10, 1, 1)
    torch.testing.assert_close(scores[:, :, 0, 0], net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [64, 112, 240])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg16"])
@torch.no_grad()
def test_so_it_is_for_nets_of_other_inputs(name: str, size: int) -> None:
    """Whose last map is size / 32, rounded up (VGG: down, and stretched to 7x7)."""
    torch.manual_seed(0)
    net = build(network(name, classes=10, input_size=size))
    if not name.startswith("vgg"):
        randomized(net)
    net.eval()
    x = torch.randn(1, 3, size, size)
    scores = dense_head(net, net.features(x), "windows")
    assert scores.shape == (1, 10, 1, 1)
    torch.testing.assert_close(scores[:, :, 0, 0], net(x), rtol=1e-4, atol=1e-4)
    wider = dense_head(net, net.features(torch.randn(1, 3, size + 32, size)), "windows")
    assert wider.shape == (1, 10, 2, 1)


@pytest.mark.parametrize(("size", "side"), [(64, 2), (65, 2), (66, 2), (67, 3), (97, 3), (225, 7)])
@torch.no_grad()
def test_pooling_that_rounds_up_leaves_smaller_maps(size: int, side: int) -> None:
    """Without a border the map after it may be a pixel smaller, and then all that follow."""
    torch.manual_seed(0)
    net = build(network("resnet18", classes=10, input_size=size, pool="ceil"))
    randomized(net)
    net.eval()
    assert last_map(net.spec) == side
    x = torch.randn(1, 3, size, size)
    torch.testing.assert_close(dense_head(net, net.features(x), "windows")[:, :, 0, 0], net(x), rtol=1e-4, atol=1e-4)
    wider = dense_head(net, torch.randn(1, 512, side + 1, side), "windows")
    assert wider.shape == (1, 10, 2, 1)


@torch.no_grad()
def test_windows_are_the_classifier_at_every_position() -> None:
    net = net_of("resnet18")
    maps = torch.randn(2, 512, 9, 8)
    scores = dense_head(net, maps, "windows")
    assert scores.shape == (2, 10, 3, 2)
    for row in range(3):
        for column in range(2):
            window = maps[:, :, row : row + 7, column : column + 7].mean((2, 3))
            torch.testing.assert_close(scores[:, :, row, column], net.fc(window), rtol=1e-4, atol=1e-4)
    whole = dense_head(net, maps, "global")
    torch.testing.assert_close(whole[:, :, 0, 0], net.fc(maps.mean((2, 3))), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_first_fc_layer_of_a_vgg_net_is_a_convolution() -> None:
    net = net_of("vgg16")
    maps = torch.randn(1, 512, 8, 7).relu()
    scores = dense_head(net, maps, "windows")
    assert scores.shape == (1, 10, 2, 1)
    lower = net.classifier(maps[:, :, 1:].flatten(1))
    torch.testing.assert_close(scores[:, :, 1, 0], lower, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_map_smaller_than_a_window_is_averaged_as_a_whole() -> None:
    net = net_of("resnet18")
    maps = torch.randn(1, 512, 5, 6)
    torch.testing.assert_close(
        dense_head(net, maps, "windows")[:, :, 0, 0],
        net.fc(maps.mean((2, 3))),
        rtol=1e-4,
        atol=1e-4,
    )
