"""Figures by what is drawn: lines, data, labels, limits. And the page that holds them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescli.analysis.collect import collect
from rescli.analysis.curves import curves
from rescli.analysis.fig7 import fig7
from rescli.analysis.figures import COLOURS, Layout, colours_of, figure, figure_bytes, spaced
from rescli.analysis.measured import Measured, measure
from rescli.analysis.plot import distinct
from rescli.analysis.report import report
from rescli.analysis.responses import responses
from rescli.analysis.run import read
from rescli.analysis.subject import Wishes
from rescli.console.sketch import Stroke, sketch
from rescli.errors import RescliError, UsageError
from rescli.profiling.figure_file import format_of
from tests.analysis.runs import a_run


def test_curves_are_drawn_as_in_figures_1_and_6(tmp_path: Path) -> None:
    deep = read(a_run(tmp_path / "p56.h5", depth=56, plain=True, error=13.0))
    shallow = read(a_run(tmp_path / "p20.h5", plain=True, error=9.5))

    plot = curves([deep, shallow])
    axes = figure(plot).axes[0]

    assert [line.group for line in plot.panels[0].lines] == ["plain-20", "plain-20", "plain-56", "plain-56"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("iter. (1e4)", "error (%)")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 6.4), (0, 20))
    train, test, *_ = axes.lines
    np.testing.assert_array_equal(train.get_ydata(), shallow.metrics["train"]["error"])
    np.testing.assert_array_equal(test.get_xdata(), shallow.metrics["test"]["iteration"] / 1e4)
    assert train.get_linestyle() == "--"
    assert test.get_linestyle() == "-"
    assert test.get_linewidth() > 1.5 * train.get_linewidth()
    assert train.get_color() == test.get_color() == COLOURS[0]
    assert [text.get_text() for text in axes.texts] == ["plain-20", "plain-56"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training error", "test error"]


def test_seeds_share_a_colour_and_short_runs_have_axes_of_their_own(tmp_path: Path) -> None:
    runs = [
        read(a_run(tmp_path / "a.h5", iterations=4000, error=18.0, train_error=17.0)),
        read(a_run(tmp_path / "b.h5", iterations=4000, error=19.0, seed=1)),
        read(a_run(tmp_path / "c.h5", iterations=4000, depth=32, done=500)),
    ]
    plot = curves(runs)
    assert list(colours_of(plot)) == ["ResNet-20", "ResNet-32"]
    panel = plot.panels[0]
    assert (panel.x_label, panel.unit, panel.x_limits, panel.y_limits) == ("iter. (1e3)", 1e3, (0, 4000), (0.0, 30.0))
    assert curves(runs, bottom=5.0, top=15.0).panels[0].y_limits == (5.0, 15.0)
    with pytest.raises(RescliError, match="none of these runs has a curve"):
        curves([read(a_run(tmp_path / "d.h5", done=0))])


def test_both_panels_of_figure_7(tmp_path: Path) -> None:
    wishes = Wishes(images=16)
    paths = [
        a_run(tmp_path / f"{plain}.h5", dataset="synthetic", plain=plain, iterations=100, weights=True)
        for plain in (True, False)
    ]
    found = [responses(str(path), wishes) for path in paths]

    plot = fig7(found)
    drawn = figure(plot)

    original, ranked = drawn.axes
    assert [axes.get_xlabel() for axes in drawn.axes] == ["layer index (original)", "layer index (sorted by magnitude)"]
    np.testing.assert_array_equal(original.lines[1].get_ydata(), found[1].std)
    np.testing.assert_array_equal(ranked.lines[1].get_ydata(), np.sort(found[1].std)[::-1])
    assert original.lines[0].get_linestyle() == "--"  # plain
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["plain-20", "ResNet-20"]
    line = plot.panels[1].lines[0]
    by_layer = {layer.point.layer: layer.std for layer in found[0].layers}
    assert [by_layer[name] for name in line.names] == line.y.tolist()


def test_the_data_of_a_figure_can_be_had(tmp_path: Path) -> None:
    run = read(a_run(tmp_path / "run.h5"))
    plot = curves([run])
    rows = list(csv.DictReader(io.StringIO(plot.as_csv())))
    assert len(rows) == len(run.metrics["train"]["error"]) + len(run.metrics["test"]["error"])
    assert rows[-1]["what"] == "test error"
    assert (float(rows[-1]["x"]), float(rows[-1]["y"])) == (64_000, 9.0)
    (panel,) = json.loads(plot.as_json())
    assert [line["what"] for line in panel["lines"]] == ["training error", "test error"]


@pytest.mark.parametrize(("format_", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_formats(tmp_path: Path, format_: str, start: bytes) -> None:
    plot = curves([read(a_run(tmp_path / "run.h5"))])
    data = figure_bytes(plot, format_of(Path(f"x.{format_}")))
    assert data.startswith(start)
    assert data == figure_bytes(plot, format_of(Path(f"x.{format_}")))
    if format_ == "svg":
        assert b">ResNet-20<" in data  # text stays text


def test_looks() -> None:
    assert Layout.of("page", 9).width == 6.9
    assert Layout.of("3.5x2", 9) == Layout(width=3.5, height=2, font_size=9)
    for wrong in ("3.5", "0x2", "big", "1x1000"):
        with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
            Layout.of(wrong, 8)
    with pytest.raises(UsageError, match="no format of figures"):
        format_of(Path("fig.jpeg"))
    assert len(set(COLOURS)) == 7


@given(st.lists(st.floats(-1, 2), max_size=8))
def test_labels_never_overlap_and_keep_their_order(heights: list[float]) -> None:
    placed = spaced([(height, str(number)) for number, height in enumerate(heights)], 0.1)
    at = [height for height, _ in placed]
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(at))
    assert sorted(name for _, name in placed) == sorted(str(number) for number in range(len(heights)))
    assert all(height <= 1 + 1e-9 for height in at)


def test_a_sketch_in_characters() -> None:
    two = [Stroke("first", [0, 1, 2], [3.0, 2.0, 1.0]), Stroke("second", [0, 1, 2], [1.0, 1.0, 99.0])]
    text = sketch(two, x_label="iterations", y_label="error (%)", y_limits=(0, 5))
    assert "aa first" in text
    assert "bb second" in text
    assert "iterations" in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


class Page(HTMLParser):
    """What a page refers to, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_says_it_all(tmp_path: Path) -> None:
    for depth in (20, 32):
        for plain in (True, False):
            a_run(
                tmp_path / f"{'p' if plain else 'r'}{depth}.h5",
                dataset="synthetic",
                depth=depth,
                plain=plain,
                iterations=4000,
                error=15.0 + (depth if plain else -depth / 10),
                weights=True,
            )
    (tmp_path / "bad.h5").write_text("no run")
    found = collect([tmp_path])
    told: list[str] = []
    measured = measure(found.runs, Wishes(images=16), told.append)

    text = report(found, measured, title="Runs <of> ours")
    page = Page(text)

    assert len(told) == 4
    assert all(link.startswith("#") for link in page.links)
    assert "@import" not in text
    assert "url(http" not in text
    assert "script" not in page.tags
    assert page.tags.count("svg") == 4  # Fig. 6 left and middle, Fig. 7, gradients
    assert "Runs <of> ours" in page.text
    assert "rescli train cifar <&>" in page.text  # what a store holds is text, not markup
    assert "Deeper plain nets have higher test error: yes" in page.text.replace("\n", "")
    assert "iterations: 4,000 (paper: 64,000)" in page.text
    assert "not a run store" in page.text
    for run in found.runs:
        assert str(run.path) in page.text
    assert text == report(found, measured, title="Runs <of> ours")


def test_the_page_without_measurements(tmp_path: Path) -> None:
    a_run(tmp_path / "run.h5", done=500)
    text = report(collect([tmp_path]), Measured(notes=("no data",)), title="x")
    assert "Figure 6, middle" in text
    assert "Figure 7" not in text
    assert "Not measured: no data" in text


def test_what_is_not_the_papers_stands_above_a_figure(tmp_path: Path) -> None:
    drawn = curves(collect([a_run(tmp_path / "run.h5")]).runs)
    noted = replace(drawn, note="4,000 of 64,000 iterations")
    assert b"4,000 of 64,000" in figure_bytes(noted, "svg")
    assert b"4,000 of 64,000" not in figure_bytes(drawn, "svg")


def test_a_gradient_of_nothing_is_no_point_on_a_logarithmic_axis() -> None:
    dead = Stroke("dead", [1, 2, 3], [0.0, 0.1, 1.0])
    alive = Stroke("alive", [1, 2, 3], [0.5, 0.1, 1.0])
    assert "alive" in sketch([dead, alive], x_label="layer", y_label="gradient", log=True)


def test_names_take_as_much_of_the_path_as_tells_them_apart() -> None:
    pairs = [("plain-20", "a/seed0/run.h5"), ("plain-20", "a/seed1/run.h5"), ("ResNet-20", "a/seed1/run.h5")]
    assert distinct(pairs) == ["plain-20 seed0/run", "plain-20 seed1/run", "ResNet-20"]
    assert distinct([("n", "x/a.h5"), ("n", "x/b.h5")]) == ["n a", "n b"]
    assert distinct([("n", "run.h5"), ("n", "run.h5")]) == ["n run", "n run"]


@pytest.mark.parametrize(
    ("ends", "limits"),
    [
        ({"bottom": 25.0}, (25.0, 100.0)),
        ({"bottom": 5.0}, (5.0, 20.0)),
        ({"top": 15.0}, (0.0, 15.0)),
        ({"bottom": 5.0, "top": 9.0}, (5.0, 9.0)),
    ],
)
def test_one_end_of_the_axis_never_turns_it_upside_down(
    ends: dict[str, float], limits: tuple[float, float], tmp_path: Path
) -> None:
    runs = collect([a_run(tmp_path / "run.h5")]).runs
    assert curves(runs, **ends).panels[0].y_limits == limits


@pytest.mark.parametrize("name", ["a$x_{2$y", "_run", "\udcff"])
def test_names_of_files_are_no_formulas(name: str, tmp_path: Path) -> None:
    plot = curves(collect([a_run(tmp_path / "run.h5")]).runs)
    panels = tuple(
        replace(panel, lines=tuple(replace(line, label=name, group=name) for line in panel.lines))
        for panel in plot.panels
    )
    for key in (plot.key, {}):  # names at the ends of the lines, or above the panels
        svg = figure_bytes(replace(plot, panels=panels, key=key), "svg").decode()
        assert {"\udcff": "\ufffd"}.get(name, name) in svg


def test_curves_of_one_net_are_told_apart(tmp_path: Path) -> None:
    """By what of their recipes is not the same; seeds share a colour."""
    runs = [read(a_run(tmp_path / f"{seed}.h5", seed=seed)) for seed in (0, 1)]
    assert {line.group for line in curves(runs).panels[0].lines} == {"ResNet-20"}
    runs += [read(a_run(tmp_path / "short.h5", iterations=4000)), read(a_run(tmp_path / "slow.h5", learning_rate=0.01))]
    assert {line.group for line in curves(runs).panels[0].lines} == {
        "ResNet-20, iterations 64,000, learning_rate 0.1",
        "ResNet-20, iterations 4,000, learning_rate 0.1",
        "ResNet-20, iterations 64,000, learning_rate 0.01",
    }


def test_captions_say_which_error_it_is(tmp_path: Path) -> None:
    for depth in (20, 56):
        a_run(tmp_path / f"{depth}.h5", depth=depth, plain=True, validation=5000)
    text = report(collect([tmp_path]), Measured(), title="held out")
    assert "bold lines: validation error." in text
    assert "bold lines: test error." not in text
