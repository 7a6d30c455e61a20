"""Every network of the paper: the figures of its digest, and independent witnesses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rescli.errors import UsageError
from rescli.models.build import bare, build
from rescli.models.names import completions, describe, described, names, network
from rescli.models.operators import operators
from rescli.models.spec import Pool
from rescli.profiling.compare import compare
from rescli.profiling.cost import cost
from rescli.profiling.count import operations
from rescli.profiling.profile import rows_of, total_of, tree_of
from rescli.profiling.total import total

EVERY = sorted(
    {
        *names(),
        "resnet18-b",
        "resnet34-c",
        "resnet152-v1.5",
        "resnet18-c",
        "resnet50-c",
        "resnet101-a",
        "cifar-resnet50",
        "plain50-v1.5",
        "resnet32-c",
    }
)


@pytest.mark.parametrize(
    "name", ["plain18", "resnet18", "resnet18-c", "resnet50", "resnet50-v1.5", "plain50", "resnet101-a"]
)
def test_every_kind_of_net_trains(name: str) -> None:
    net = build(network(name, classes=7))

    logits = net(torch.randn(2, 3, 64, 64))
    logits.square().mean().backward()

    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", EVERY)
def test_a_description_is_the_network(name: str) -> None:
    assert described(describe(network(name))) == network(name)


@given(n=st.integers(1, 300), plain=st.booleans())
def test_every_depth_has_a_name_of_its_own(n: int, plain: bool) -> None:
    spec = network(f"cifar-{'plain' if plain else 'resnet'}{6 * n + 2}")

    assert network(spec.name) == spec
    assert spec.depth == 6 * n + 2
    assert spec.input_size == 32


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ResNet-50", "resnet50"),
        ("resnet_50", "resnet50"),
        ("CIFAR10_ResNet56", "resnet56"),
        ("resnet56-cifar10", "resnet56"),
        ("cifar-resnet152", "cifar-resnet152"),
        ("plain-34", "plain34"),
        ("VGG-16", "vgg16"),
        ("imagenet-resnet152", "resnet152"),
    ],
)
def test_names_that_people_guess(typed: str, meant: str) -> None:
    assert network(typed).name == meant


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        ("rsnet50", "resnet50"),
        ("resnet51", "cifar-resnet50"),
        ("vgg18", "vgg16"),
        ("plan34", "plain34"),
        ("resnet152x", "resnet152"),
    ],
)
def test_a_misspelt_name_gets_suggestions(typed: str, suggested: str) -> None:
    with pytest.raises(UsageError) as error:
        network(typed)
    assert suggested in error.value.hint


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("plain34", {"shortcut": "A"}, "--shortcut"),
        ("resnet34", {"stride_in": "3x3"}, "--stride-in"),
        ("resnet20", {"pool": "ceil"}, "--pool"),
        ("resnet50", {"padding": "both"}, "--padding"),
        ("vgg16", {"shortcut": "B"}, "--shortcut"),
        ("resnet34-b", {"shortcut": "C"}, "shortcut"),
    ],
)
def test_a_fork_that_has_no_effect_is_refused(name: str, options: Any, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        network(name, **options)


def test_every_name_offered_is_one() -> None:
    assert all(network(name) for name in completions())


@pytest.mark.parametrize("name", ["resnet18", "resnet50-c", "vgg16", "plain20"])
@pytest.mark.parametrize("count", ["conv", "all"])
def test_rows_add_up(name: str, count: Any) -> None:
    spec = network(name)
    wholes = [total_of(rows_of(spec, by=by, count=count)) for by in ("layer", "block", "stage", "operator")]

    assert all(whole == wholes[0] for whole in wholes)
    assert wholes[0].macs + wholes[0].operations == total(spec, count=count).value
    assert wholes[0].parameters == cost(spec).parameters
    tree = tree_of(spec, depth=1, count=count)
    assert total_of(tree[1:]).macs == tree[0].macs == wholes[0].macs
    assert rows_of(spec, by="stage", count=count, batch=3)[0].macs == 3 * rows_of(spec, by="stage", count=count)[0].macs


def test_everything_counted_by_hand() -> None:
    """ResNet-8, option A: maps of 16x32x32, 32x16x16, 64x8x8; a stem and two convolutions each, each with BN and ReLU."""
    maps = [16 * 1024, 32 * 256, 64 * 64]
    found = total(network("cifar-resnet8"), count="all")

    assert found.of("BN") == maps[0] + 2 * sum(maps)
    assert found.of("ReLU") == maps[0] + 2 * sum(maps)
    assert found.of("shortcut additions") == sum(maps)
    assert found.of("pooling") == maps[2]
    assert found.of("bias additions") == 10
    assert total(network("cifar-resnet8"), unit="flops").value == 2 * cost(network("cifar-resnet8")).macs


@pytest.mark.parametrize(("name", "pool"), [("resnet18", "padded"), ("resnet18", "ceil"), ("vgg16", None)])
@pytest.mark.parametrize("size", [32, 33, 34, 35, 62, 224, 225])
def test_max_pooling_reads_no_border(name: str, pool: Pool | None, size: int) -> None:
    """Window by window."""
    begin = -1 if pool == "padded" else 0
    spec = network(name, input_size=size) if pool is None else network(name, input_size=size, pool=pool)
    for one in operators(spec):
        if one.kind == "maxpool":
            starts = [begin + one.stride * number for number in range(one.size)]
            read = sum(min(start + one.kernel, one.in_size) - max(start, 0) for start in starts)
            assert operations(one) == read * read * one.channels


def test_plain_34_has_18_percent_of_vgg_19() -> None:
    """Sec. 3.3: "3.6 billion FLOPs, which is only 18% of VGG-19 (19.6 billion FLOPs)"."""
    vgg, plain = compare([network("vgg19"), network("plain34")])

    assert int(plain.share) == 18
    assert vgg.paper is not None
    assert vgg.paper.macs == 19.6e9
    assert abs(vgg.deviation or 9) < 0.2


def test_the_papers_figure_is_only_beside_the_papers_net() -> None:
    assert total(network("resnet50")).paper is not None
    for name in ("resnet50-v1.5", "resnet50-c", "resnet34-c", "plain50", "cifar-resnet50", "resnet20-b"):
        assert total(network(name)).paper is None, name
    assert total(network("resnet50", input_size=256)).paper is None


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet18-c", "plain34"])
@pytest.mark.parametrize("size", [33, 97, 224])
@pytest.mark.parametrize("pool", ["padded", "ceil"])
def test_sizes_are_those_of_the_module(name: str, size: int, pool: Any) -> None:
    spec = network(name, input_size=size, pool=pool)
    shapes: dict[str, torch.Size] = {}
    with torch.device("meta"):
        net = bare(spec)
        for key, module in net.named_modules():
            module.register_forward_hook(lambda _m, _i, out, key=key: shapes.__setitem__(key, out.shape))
        net(torch.empty(2, 3, size, size))

    for operator in operators(spec):
        if operator.kind in ("conv", "projection", "bn"):
            assert shapes[operator.name][1:] == (operator.channels, operator.size, operator.size), operator.name


def test_an_input_that_is_too_small() -> None:
    with pytest.raises(UsageError, match="too small"):
        cost(network("vgg16", input_size=31))
    assert cost(network("vgg16", input_size=32)).macs > 0
