"""The figures of a report's page: those of the paper that some runs allow, as svg."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rescli.analysis.curves import curves
from rescli.analysis.fig7 import fig7
from rescli.analysis.figures import Layout, figure_bytes
from rescli.analysis.gradients import gradients_plot
from rescli.analysis.measured import Measured
from rescli.analysis.plot import Plot
from rescli.analysis.run import Run
from rescli.models.spec import NetworkSpec

LAYOUT = Layout(width=4.2)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A figure of the page: a heading, the svg itself, and a sentence below."""

    title: str
    svg: str
    caption: str


def figures(runs: Sequence[Run]) -> list[Shown]:
    """Figs. 1 and 6, as far as these CIFAR runs allow."""
    shown: list[Shown] = []

    def some(choose: Callable[[Run], bool], least: int, title: str, caption: str) -> None:
        chosen = [run for run in runs if choose(run) and len(run.curve("train")[1])]
        if len({run.recipe.depth for run in chosen}) >= least:
            tested = " and ".join(sorted({"validation" if run.tested == "val" else run.tested for run in chosen}))
            lines = f"Thin dashed lines: training error; bold lines: {tested} error."
            shown.append(drawn(title, f"{caption} {lines}", curves(chosen)))

    some(
        lambda run: run.recipe.plain and run.recipe.depth in (20, 56),
        2,
        "Figure 1",
        "Plain nets with 20 and 56 layers.",
    )
    some(lambda run: run.recipe.plain, 1, "Figure 6, left", "Plain nets.")
    some(lambda run: not run.recipe.plain and run.recipe.depth < 1000, 1, "Figure 6, middle", "Residual nets.")
    some(
        lambda run: not run.recipe.plain and run.recipe.depth in (110, 1202),
        2,
        "Figure 6, right",
        "Residual nets with 110 and 1202 layers.",
    )
    return shown


def of_layers(measured: Measured) -> list[Shown]:
    """Fig. 7 and the gradients, where they were measured."""
    shown: list[Shown] = []
    if measured.responses:
        first = measured.responses[0]
        caption = (
            f"Standard deviations of layer responses over {first.images:,} {first.split} images: outputs of each 3x3 layer, "
            "after BN and before ReLU or addition. Dashed: plain nets."
        )
        shown.append(drawn("Figure 7", caption, fig7(measured.responses)))
    if measured.gradients:
        norms = measured.gradients[0]
        caption = (
            f"Norms over {norms.batches} batches of {norms.batch_size} images, with their spread. Dashed: plain nets."
        )
        shown.append(drawn("Gradients and forward variance (Sec. 4.1)", caption, gradients_plot(measured.gradients)))
    return shown


def figure4(runs: Sequence[Run]) -> list[Shown]:
    """Fig. 4 of the ImageNet runs that have curves: plain nets, residual nets, and VGG nets by themselves."""
    parts: dict[str, tuple[str, Callable[[Run], bool]]] = {
        "Figure 4, left": ("Plain nets", lambda run: run.recipe.plain),
        "Figure 4, right": ("Residual nets", lambda run: not run.recipe.plain and isinstance(run.spec, NetworkSpec)),
        "VGG nets": ("VGG nets", lambda run: not isinstance(run.spec, NetworkSpec)),
    }
    shown = []
    for title, (what, choose) in parts.items():
        chosen = [run for run in runs if choose(run) and run.has_curve]
        if chosen:
            caption = f"{what}. Thin dashed lines: training error; bold lines: validation error of the center crop."
            shown.append(drawn(title, caption, curves(chosen)))
    return shown


def drawn(title: str, caption: str, plot: Plot) -> Shown:
    """A figure of the page."""
    return Shown(title=title, svg=inline(plot, salt=title), caption=caption)


def inline(plot: Plot, *, salt: str) -> str:
    """A figure as an svg element for a page: black follows the page's text colour, so that a dark page shows it."""
    text = figure_bytes(plot, "svg", LAYOUT, salt=salt).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("#000000", "currentColor").replace("#555555", "currentColor")
    text = re.sub(r"(<g id=\"patch_1\">.*?)fill: #ffffff", r"\1fill: none", text, count=1, flags=re.DOTALL)
    text = re.sub(r"fill: #ffffff", "fill: none", text)
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", text, count=1)
