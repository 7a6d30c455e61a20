"""Fig. 3, box by box."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.errors import UsageError
from rescli.models.names import network
from rescli.profiling.draw import _columns, figure_bytes
from rescli.profiling.figure_file import format_of
from rescli.profiling.graph import graph


def test_figure_3_right() -> None:
    """The 34-layer residual net: 33 convolutions, a pooling, an average pooling, fc; 16 shortcuts, three of them dotted."""
    scene = graph(network("resnet34"))

    labels = [box.label for box in scene.boxes]
    assert labels[:3] == ["7x7 conv, 64, /2", "pool, /2", "3x3 conv, 64"]
    assert labels[-2:] == ["avg pool", "fc 1000"]
    assert [labels.count(f"3x3 conv, {width}") for width in (64, 128, 256, 512)] == [6, 7, 11, 5]
    assert [labels.count(f"3x3 conv, {width}, /2") for width in (128, 256, 512)] == [1, 1, 1]
    assert len(labels) == 36
    assert (len(scene.arcs), sum(arc.dotted for arc in scene.arcs)) == (16, 3)
    assert all(scene.boxes[arc.last].label == scene.boxes[arc.first + 1].label for arc in scene.arcs)
    assert sorted({box.size for box in scene.boxes}) == [1, 7, 14, 28, 56, 112]


def test_a_folded_box_shows_its_projections_once_for_all() -> None:
    scene = graph(network("resnet152", shortcut="C"))
    folded = next(number for number, box in enumerate(scene.boxes) if box.label == "32 more blocks")
    (arc,) = [arc for arc in scene.arcs if arc.first == folded]
    assert (arc.last, arc.dotted, arc.label) == (folded, False, "each 1x1, 1024")


def test_figure_3_middle_and_left() -> None:
    plain, vgg = graph(network("plain34")), graph(network("vgg19"))

    assert [box.label for box in plain.boxes] == [box.label for box in graph(network("resnet34")).boxes]
    assert plain.arcs == vgg.arcs == ()
    assert [box.label for box in vgg.boxes].count("3x3 conv, 512") == 8
    assert [box.label for box in vgg.boxes][-3:] == ["fc 4096", "fc 4096", "fc 1000"]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("resnet50", "1x1 conv, 128, /2", "3x3 conv, 128"), ("resnet50-v1.5", "1x1 conv, 128", "3x3 conv, 128, /2")],
)
def test_both_stride_placements(name: str, first: str, second: str) -> None:
    scene = graph(network(name))
    arc = next(arc for arc in scene.arcs if arc.label == "1x1, 512, /2")

    assert [box.label for box in scene.boxes[arc.first : arc.last + 1]] == [first, second, "1x1 conv, 512"]
    assert arc.dotted


@given(st.integers(1, 250), st.booleans())
def test_folding_loses_no_layer(n: int, plain: bool) -> None:
    spec = network(f"cifar-{'plain' if plain else 'resnet'}{6 * n + 2}")
    scene = graph(spec)

    drawn = sum(box.folded or box.label.startswith(("3x3", "fc")) for box in scene.boxes)
    assert drawn == spec.depth
    assert len(scene.boxes) <= 60


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnet152", "vgg19", "resnet56", "resnet1202", "plain110"])
def test_no_column_ends_within_a_shortcut(name: str) -> None:
    scene = graph(network(name))
    starts = _columns(scene)

    assert starts[0] == 0
    assert all(not arc.first < start <= arc.last for arc in scene.arcs for start in starts)
    assert max(end - start for start, end in pairwise([*starts, len(scene.boxes)])) <= 38


def test_a_drawing_is_text_and_the_same_each_time() -> None:
    data = figure_bytes(network("resnet18"), "svg")

    texts = {element.text for element in ElementTree.fromstring(data).iter() if element.tag.endswith("text")}
    assert {"7x7 conv, 64, /2", "fc 1000", "resnet18 (option A)", "pad to 128, /2", "size: 112"} <= texts
    assert data == figure_bytes(network("resnet18"), "svg")
    assert figure_bytes(network("plain20"), "png").startswith(b"\x89PNG")
    assert figure_bytes(network("resnet1202"), "pdf").startswith(b"%PDF")


def test_formats() -> None:
    assert format_of(Path("a.SVG")) == "svg"
    with pytest.raises(UsageError, match="svg, pdf, png"):
        format_of(Path("a.gif"))
