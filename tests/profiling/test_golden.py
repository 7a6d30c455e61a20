"""Parameters, multiply-adds and activations of every net and fork, on file and held against independent witnesses.

These are PyTorch's own parameters, its FlopCounterMode, fvcore, and torchvision's models.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rescli.models.build import bare
from rescli.models.names import network
from rescli.models.spec import Spec
from rescli.profiling.cost import cost
from tests.golden import CIFAR
from tests.profiling.golden_rows import FILE, forks, row

ROWS = list(csv.DictReader(FILE.read_text().splitlines()))

# Derived by hand from Table 1 (multiply-adds of convolutions and fc; parameters with BN and biases).
PAPER = {
    ("plain18", "", ""): (1_794_805_760, 11_515_688),
    ("resnet18", "A", ""): (1_794_805_760, 11_515_688),
    ("resnet18", "B", ""): (1_814_073_344, 11_689_512),
    ("plain34", "", ""): (3_644_493_824, 21_623_848),
    ("resnet34", "A", ""): (3_644_493_824, 21_623_848),
    ("resnet34", "B", ""): (3_663_761_408, 21_797_672),
    ("resnet34", "C", ""): (3_830_747_136, 22_716_840),
    ("resnet50", "B", "1x1"): (3_857_973_248, 25_557_032),
    ("resnet101", "B", "1x1"): (7_570_194_432, 44_549_160),
    ("resnet152", "B", "1x1"): (11_282_415_616, 60_192_808),
    ("resnet50", "B", "3x3"): (4_089_184_256, 25_557_032),
    ("resnet101", "B", "3x3"): (7_801_405_440, 44_549_160),
    ("resnet152", "B", "3x3"): (11_513_626_624, 60_192_808),
    ("vgg16", "", ""): (15_470_264_320, 138_357_544),
    ("vgg19", "", ""): (19_632_062_464, 143_667_240),
    **{
        key: (macs, parameters)
        for depth, (parameters, macs) in CIFAR.items()
        for key in ((f"cifar-plain{depth}", "", ""), (f"cifar-resnet{depth}", "A", ""))
    },
}


def key(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["network"], one["shortcut"], one["stride_in"]


def spec_of(one: dict[str, Any]) -> Spec:
    return network(one["network"], **{name: one[name] for name in ("shortcut", "stride_in") if one[name]})


def counted(net: nn.Module, size: int) -> tuple[int, int]:
    """Parameters and multiply-adds, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(1, 3, size, size, device="meta"))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return sum(parameter.numel() for parameter in net.parameters()), flops // 2


def each(slow: Callable[[Spec], bool]) -> pytest.MarkDecorator:
    """A test for every row; those that take seconds are among the long ones."""
    rows = [
        pytest.param(
            one, marks=pytest.mark.long if slow(spec_of(one)) else (), id="-".join(part for part in key(one) if part)
        )
        for one in ROWS
    ]
    return pytest.mark.parametrize("one", rows)


def test_the_file_has_every_net_and_fork() -> None:
    expected = [row(name, options, network(name, **options)) for name, options in forks()]
    assert [{name: str(value) for name, value in one.items()} for one in expected] == ROWS
    assert len({key(one) for one in ROWS}) == len(ROWS)


def test_the_papers_nets_are_in_it() -> None:
    found = {key(one): (int(one["macs"]), int(one["parameters"])) for one in ROWS}
    assert {name: found[name] for name in PAPER} == PAPER


@each(slow=lambda spec: spec.depth > 1000)
def test_pytorch_counts_the_same(one: dict[str, Any]) -> None:
    with torch.device("meta"):
        net = bare(spec_of(one)).eval()
    assert counted(net, int(one["input"])) == (int(one["parameters"]), int(one["macs"]))


@pytest.mark.filterwarnings("ignore")  # fvcore traces, and PyTorch warns of that
@each(slow=lambda spec: cost(spec).macs > 2e9 or spec.depth > 100)  # it computes all that it counts
def test_fvcore_counts_the_same(one: dict[str, Any]) -> None:
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    net = bare(spec_of(one)).eval()
    x = torch.zeros(1, 3, int(one["input"]), int(one["input"]))
    flops = FlopCountAnalysis(net, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    values = ActivationCountAnalysis(net, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    assert flops["conv"] + flops["linear"] == int(one["macs"])
    assert values.total() == int(one["activations"])


THEIRS = [
    one for one in ROWS if (one["shortcut"], one["stride_in"]) in (("B", ""), ("B", "3x3")) or "vgg" in one["network"]
]


@pytest.mark.parametrize(
    "one", [one for one in THEIRS if "cifar" not in one["network"]], ids=lambda one: str(one["network"])
)
def test_torchvisions_models_cost_the_same(one: dict[str, Any]) -> None:
    with torch.device("meta"):
        net = getattr(torchvision.models, one["network"])().eval()
    assert counted(net, 224) == (int(one["parameters"]), int(one["macs"]))
