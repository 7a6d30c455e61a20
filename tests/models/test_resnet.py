"""Networks: shape, gradients, initialization, and the forks between implementations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rescli.errors import UsageError
from rescli.models.blocks import PadShortcut
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.norm import BatchNorm
from rescli.models.operators import layers, operators
from rescli.models.resnet import ResNet
from rescli.models.spec import Shortcut, blocks

OPTIONS: list[Shortcut | None] = ["A", "B", "C", None]


@pytest.mark.parametrize("shortcut", OPTIONS)
@pytest.mark.parametrize("depth", [8, 20])
def test_every_net_trains(depth: int, shortcut: Shortcut | None) -> None:
    net = build(cifar_spec(depth, shortcut=shortcut))

    logits = net(torch.randn(4, 3, 32, 32))
    logits.square().mean().backward()

    assert logits.shape == (4, 10)
    assert torch.isfinite(logits).all()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("shortcut", OPTIONS)
def test_the_spec_names_the_modules_layers_and_their_outputs(shortcut: Shortcut | None) -> None:
    spec = cifar_spec(14, shortcut=shortcut)
    net = build(spec)
    shapes: dict[str, torch.Size] = {}
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda _m, _i, out, name=name: shapes.__setitem__(name, out.shape[1:]))

    net(torch.zeros(2, 3, 32, 32))

    listed = {
        layer.name: (layer.channels, layer.size, layer.size) if layer.kind != "fc" else (layer.channels,)
        for layer in layers(spec)
    }
    assert {name: tuple(shape) for name, shape in shapes.items()} == listed
    norms = {operator.name for operator in operators(spec) if operator.kind == "bn"}
    assert norms == {name for name, module in net.named_modules() if isinstance(module, BatchNorm)}


@given(n=st.integers(1, 250), shortcut=st.sampled_from(OPTIONS))
def test_depth_counts_the_weighted_layers(n: int, shortcut: Shortcut | None) -> None:
    spec = cifar_spec(6 * n + 2, shortcut=shortcut)

    assert spec.depth == 6 * n + 2
    assert sum(layer.kind != "projection" for layer in layers(spec)) == 6 * n + 2
    assert len(list(blocks(spec))) == 3 * n


@given(st.integers(-20, 2000).filter(lambda depth: (depth - 2) % 6 or depth < 8))
def test_other_depths_are_refused_with_the_nearest(depth: int) -> None:
    with pytest.raises(UsageError) as error:
        cifar_spec(depth)

    nearest = [int(word) for word in error.value.hint.split(".")[0].replace("The nearest: ", "").split(" and ")]
    assert all((near - 2) % 6 == 0 and near >= 8 for near in nearest)
    assert min(abs(near - depth) for near in nearest) <= max(3, 8 - depth)


def test_a_mistyped_depth_does_not_fill_the_memory() -> None:
    with pytest.raises(UsageError, match="more than"):
        cifar_spec(6 * 10**12 + 2)


def test_initialization_is_fan_in() -> None:
    net = build(cifar_spec(56), seed=1)

    for layer in layers(net.spec):
        weight = net.get_submodule(layer.name).weight
        assert isinstance(weight, torch.Tensor)
        if weight.numel() >= 2304:  # the standard deviation of n samples is off by about 1 / sqrt(2 n)
            assert weight.std().item() == pytest.approx(math.sqrt(2 / layer.fan_in), rel=0.08)
    assert net.fc.bias.abs().max() == 0
    assert all(
        (norm.weight == 1).all() and (norm.bias == 0).all() for norm in net.modules() if isinstance(norm, BatchNorm)
    )
    assert all((norm.running_var == 1).all() for norm in net.modules() if isinstance(norm, BatchNorm))


def test_seeds_decide_the_weights() -> None:
    one, same, other = (build(cifar_spec(8), seed=seed).conv1.weight for seed in (1, 1, 2))

    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_option_a_subsamples_and_appends_zeros() -> None:
    block = next(block for block in blocks(cifar_spec(8)) if block.reshapes)
    x = torch.randn(2, 16, 32, 32)

    out = PadShortcut(block)(x)

    assert out.shape == (2, 32, 16, 16)
    assert torch.equal(out[:, :16], x[:, :, ::2, ::2])
    assert out[:, 16:].abs().max() == 0


def test_plain_and_residual_have_the_same_parameters_and_differ_in_the_function() -> None:
    plain, residual = build(cifar_spec(14, shortcut=None), seed=3), build(cifar_spec(14), seed=3)
    x = torch.randn(2, 3, 32, 32)

    assert plain.state_dict().keys() == residual.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), residual.parameters(), strict=True))
    assert not torch.allclose(plain(x), residual(x))


def test_residual_nets_are_torchvisions_basic_blocks() -> None:
    """The same stages put together from torchvision's own blocks give the same logits (option B, as it has no A)."""
    from torchvision.models.resnet import BasicBlock

    net = build(cifar_spec(14, shortcut="B"), seed=5)
    stages = []
    channels = 16
    for stage in net.spec.stages:
        members = []
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            project = stride != 1 or channels != stage.channels
            down = nn.Sequential(
                nn.Conv2d(channels, stage.channels, 1, stride, bias=False), nn.BatchNorm2d(stage.channels)
            )
            members.append(BasicBlock(channels, stage.channels, stride, down if project else None))
            channels = stage.channels
        stages.append(nn.Sequential(*members))
    theirs = nn.ModuleDict(
        {
            "conv1": nn.Conv2d(3, 16, 3, padding=1, bias=False),
            "bn1": nn.BatchNorm2d(16),
            "layer1": stages[0],
            "layer2": stages[1],
            "layer3": stages[2],
            "fc": nn.Linear(64, 10),
        }
    )
    outcome = theirs.load_state_dict(net.state_dict(), strict=False)
    assert not outcome.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in outcome.missing_keys)

    x = torch.randn(3, 3, 32, 32)
    y = torch.relu(theirs["bn1"](theirs["conv1"](x)))
    y = theirs["layer3"](theirs["layer2"](theirs["layer1"](y)))
    expected = theirs["fc"](y.mean((2, 3)))

    assert torch.allclose(net(x), expected, atol=1e-5)


def test_1202_layers() -> None:
    net = build(cifar_spec(1202))

    assert isinstance(net, ResNet)
    assert sum(p.numel() for p in net.parameters()) == 19_421_274


@settings(deadline=None, max_examples=20)
@given(batch=st.integers(2, 12), groups=st.integers(1, 3))
def test_grouped_bn_normalizes_each_group_by_its_own_statistics(batch: int, groups: int) -> None:
    norm = BatchNorm(5, groups=groups)
    x = torch.randn(batch, 5, 4, 4) * 3 + 1

    out = norm(x)

    means, variances = [], []
    for part, result in zip(x.chunk(groups), out.chunk(groups), strict=True):
        mean, var = part.mean((0, 2, 3)), part.var((0, 2, 3), unbiased=False)
        expected = (part - mean[:, None, None]) / (var[:, None, None] + norm.eps).sqrt()
        assert torch.allclose(result, expected, atol=1e-4)
        means.append(mean)
        variances.append(part.var((0, 2, 3), unbiased=True))
    assert torch.allclose(norm.running_mean, 0.1 * torch.stack(means).mean(0), atol=1e-5)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * torch.stack(variances).mean(0), atol=1e-4)


def test_grouped_bn_keeps_channels_last_and_does_not_group_at_test_time() -> None:
    norm = BatchNorm(4, groups=2)
    x = torch.randn(8, 4, 6, 6).contiguous(memory_format=torch.channels_last)

    assert norm(x).is_contiguous(memory_format=torch.channels_last)
    norm.eval()
    assert torch.equal(norm(x), torch.cat([norm(x[:3]), norm(x[3:])]))
