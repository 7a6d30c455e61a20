"""The optimizer against PyTorch's own, and the two forms against one another."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from rescli.backends.base import Sgd
from rescli.backends.flat import FlatParameters
from rescli.backends.sgd import MomentumSgd

RATES = [0.1, 0.1, 0.01, 0.01, 0.001]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5))


def optimizer(network: nn.Module, how: Sgd) -> tuple[FlatParameters, MomentumSgd]:
    flat = FlatParameters(network, bf16=False)
    return flat, MomentumSgd(flat, how)


def step(flat: FlatParameters, sgd: MomentumSgd, network: nn.Module, rate: float) -> None:
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    found = [gradients[name] for name in flat.names]
    flat.gather([gradient for gradient in found if gradient is not None])
    sgd.step(torch.tensor(rate))


def give_gradients(network: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def settings(form: str = "pytorch", decay: str = "all", momentum: float = 0.9, weight_decay: float = 1e-2) -> Sgd:
    return Sgd(momentum=momentum, momentum_form=form, weight_decay=weight_decay, decay=decay)


@pytest.mark.parametrize("decay", ["all", "conv"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_pytorchs_form_is_pytorchs(decay: str, momentum: float) -> None:
    ours = net()
    theirs = copy.deepcopy(ours)
    flat, sgd = optimizer(ours, settings(decay=decay, momentum=momentum))
    conv, *rest = theirs.parameters()
    groups: list[dict[str, Any]] = [
        {"params": [conv]},
        {"params": rest, "weight_decay": 1e-2 if decay == "all" else 0.0},
    ]
    reference = torch.optim.SGD(groups, lr=0.1, momentum=momentum, weight_decay=1e-2)

    for number, rate in enumerate(RATES):
        give_gradients(ours, number)
        give_gradients(theirs, number)
        step(flat, sgd, ours, rate)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()

    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)


def test_caffes_form_by_hand() -> None:
    """One weight, gradient 1, momentum 0.5, rates 1, 1, 0.1: v = 1, 1.5, 0.85; PyTorch's moves by 1, 1.5, 0.175."""
    moved = {}
    for form in ("caffe", "pytorch"):
        network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(network.weight)
        flat, sgd = optimizer(network, settings(form, momentum=0.5, weight_decay=0.0))
        positions = []
        for rate in (1.0, 1.0, 0.1):
            network.weight.grad = torch.ones(1, 1)
            step(flat, sgd, network, rate)
            positions.append(network.weight.item())
        moved[form] = positions

    assert moved["caffe"] == pytest.approx([-1, -2.5, -3.35])
    assert moved["pytorch"] == pytest.approx([-1, -2.5, -2.675])


def test_the_forms_agree_while_the_rate_stays() -> None:
    nets = {form: net() for form in ("caffe", "pytorch")}
    for form, network in nets.items():
        flat, sgd = optimizer(network, settings(form))
        for number in range(5):
            give_gradients(network, number)
            step(flat, sgd, network, 0.1)

    for a, b in zip(nets["caffe"].parameters(), nets["pytorch"].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
