"""Any module, counted by tracing: against our own tables, and against counts by hand."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rescli.errors import RescliError, UsageError
from rescli.models.build import bare
from rescli.models.names import network
from rescli.models.trace import load_module, trace
from rescli.profiling.cost import cost
from rescli.profiling.traced import profile_module


@pytest.mark.parametrize("name", ["plain18", "resnet50", "resnet152-v1.5", "vgg19", "resnet56"])
def test_our_own_nets(name: str) -> None:
    spec = network(name)
    with torch.device("meta"):
        net = bare(spec)

    found = trace(net, title=name, input_size=spec.input_size)

    counts = cost(spec)
    assert sum(row.macs for row in found.rows) == counts.macs
    assert sum(row.outputs for row in found.rows) == counts.activations
    assert found.parameters == counts.parameters
    layers = {name for name, module in net.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}
    assert {row.name for row in found.rows} == layers


def test_torchvisions_resnet50_is_the_other_graph() -> None:
    found = profile_module("torchvision:resnet50", by="operator", input_size=224)

    assert sum(row.macs for row in found.rows) == 4_089_184_256
    assert found.parameters == 25_557_032
    assert found.elsewhere == found.parameters - sum(row.parameters for row in found.rows) > 0
    assert found.not_counted["native_batch_norm"] == 53


class Odd(nn.Module):
    """A grouped, a depthwise and a transposed convolution, and a matrix product without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(3, 6, 3, padding=1, groups=3)
        self.depthwise = nn.Conv2d(6, 6, 5, padding=2, groups=6)
        self.up = nn.ConvTranspose2d(6, 2, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.depthwise(self.grouped(x)))
        return x @ x.transpose(2, 3)


def test_convolutions_of_every_kind_by_hand() -> None:
    found = trace(Odd().to("meta"), title="odd", input_size=8)

    assert {row.name: row.macs for row in found.rows} == {
        "grouped": 6 * 64 * 9 * 1,
        "depthwise": 6 * 64 * 25 * 1,
        "up": 64 * 6 * 2 * 4,
        "": 2 * 16 * 16 * 16,
    }


def test_nothing_is_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "huge_net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 2**31, 3)\n")
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    net = load_module("huge_net:make")

    assert sum(parameter.numel() for parameter in net.parameters()) == 28 * 2**31  # 240 GB, were they there
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize(
    ("target", "word"),
    [("torchvision:resnet5", "resnet50"), ("no_such_package:net", "imported"), ("torch:Tensor", "not an nn.Module")],
)
def test_what_is_no_module(target: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        load_module(target)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def make(:", "importing own_net failed: SyntaxError"),
        ("raise RuntimeError('no')", "importing own_net failed: RuntimeError: no"),
        ("def __getattr__(name):\n    raise RuntimeError('late')", "importing own_net failed: RuntimeError: late"),
        ("raise SystemExit(3)", "importing own_net failed: SystemExit: 3"),
        ("def make():\n    raise SystemExit(3)", "making it failed: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_is_no_bug_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, word: str
) -> None:
    (tmp_path / "own_net.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_net", raising=False)
    with pytest.raises(RescliError, match=word):
        load_module("own_net:make")
    monkeypatch.delitem(sys.modules, "own_net", raising=False)


TALKS = """
import torch
print("imported")

class Net(torch.nn.Conv2d):
    def forward(self, x):
        print("run")
        return super().forward(x)

def make():
    print("made")
    return Net(3, 3, 3)
"""


def test_what_a_module_prints_is_no_output_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "talks.py").write_text(TALKS)
    monkeypatch.syspath_prepend(tmp_path)
    trace(load_module("talks:make"), title="talks", input_size=8)
    monkeypatch.delitem(sys.modules, "talks")
    assert capsys.readouterr() == ("", "imported\nmade\nrun\n")


def test_what_cannot_run_without_numbers() -> None:
    class Peeks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(RescliError, match="peeks"):
        trace(Peeks(), title="peeks", input_size=8)

    class Leaves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise SystemExit(3)

    with pytest.raises(RescliError, match="leaves: fails on an image of 8 pixels: 3"):
        trace(Leaves(), title="leaves", input_size=8)
    with pytest.raises(RescliError, match="7 pixels"):
        trace(nn.Conv2d(3, 4, 9), title="small", input_size=7)
