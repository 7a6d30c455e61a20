"""Counts against the paper's figures, against hand-derived ones, and against torch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.names import network
from rescli.models.operators import operators
from rescli.models.spec import Shortcut
from rescli.profiling.cost import cost
from rescli.profiling.count import operations
from tests.golden import CIFAR


@pytest.mark.parametrize("depth", CIFAR)
@pytest.mark.parametrize("shortcut", ["A", None])
def test_counts_are_the_papers(depth: int, shortcut: Shortcut | None) -> None:
    counts = cost(cifar_spec(depth, shortcut=shortcut))

    assert (counts.parameters, counts.macs) == CIFAR[depth]


def test_option_b_adds_two_projections() -> None:
    """16 -> 32 channels at 16x16 and 32 -> 64 at 8x8: 512 and 2,048 weights, and the BN behind them."""
    a, b = cost(cifar_spec(20)), cost(cifar_spec(20, shortcut="B"))

    assert b.macs - a.macs == 512 * 16 * 16 + 2048 * 8 * 8
    assert b.parameters - a.parameters == 512 + 2 * 32 + 2048 + 2 * 64


def test_option_c_projects_every_shortcut() -> None:
    """Depth 20 has nine: 3 of 16->16, 16->32 and 2 of 32->32, 32->64 and 2 of 64->64."""
    a, c = cost(cifar_spec(20)), cost(cifar_spec(20, shortcut="C"))
    weights = [3 * 256, 512 + 2 * 1024, 2048 + 2 * 4096]

    assert c.macs - a.macs == weights[0] * 1024 + weights[1] * 256 + weights[2] * 64
    assert c.parameters - a.parameters == sum(weights) + 3 * 2 * (16 + 32 + 64)


@pytest.mark.parametrize("depth", [8, 20, 56])
@pytest.mark.parametrize("shortcut", ["A", "B", "C", None])
def test_torch_counts_the_same(depth: int, shortcut: Shortcut | None) -> None:
    spec = cifar_spec(depth, shortcut=shortcut, classes=100)
    net = build(spec).eval()

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 32, 32))

    assert counter.get_total_flops() == 2 * cost(spec).macs
    assert sum(p.numel() for p in net.parameters()) == cost(spec).parameters


def test_windows_that_overlap_read_some_values_twice() -> None:
    """VGG at 256: seven windows of two over eight values in either direction."""
    (pool,) = (one for one in operators(network("vgg16", input_size=256)) if one.kind == "avgpool")
    assert operations(pool) == 512 * 14 * 14
    (pool,) = (one for one in operators(network("resnet50")) if one.kind == "avgpool")
    assert operations(pool) == 2048 * 7 * 7
