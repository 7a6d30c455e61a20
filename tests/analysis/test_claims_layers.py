"""Claims about layers, from made-up responses: only nets that were trained alike are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rescli.analysis.claims_layers import layer_claims
from rescli.analysis.points import points
from rescli.analysis.responses import Layer, Responses
from rescli.analysis.run import Run, read
from rescli.analysis.verdict import Verdict
from tests.analysis.photographs import a_run as an_imagenet_run
from tests.analysis.runs import a_run


def responses(run: Run, median: float) -> Responses:
    """The same standard deviation in every layer."""
    none = np.zeros(0)
    layers = tuple(
        Layer(point=place, mean=0.0, std=median, channel_mean=none, channel_std=none) for place in points(run.spec)
    )
    return Responses(
        what=str(run.path),
        label=run.label,
        network="",
        dataset="cifar10",
        split="test",
        images=10,
        iteration=run.iteration,
        precision="fp32",
        statistics="running",
        weights="",
        layers=layers,
    )


def judged(medians: dict[str, float], runs: dict[str, Run]) -> list[Verdict]:
    found = [responses(runs[name], median) for name, median in medians.items()]
    return layer_claims(found, (), runs.values())[:2]


def test_runs_of_another_length_are_not_compared(tmp_path: Path) -> None:
    runs = {}
    for iterations in (64000, 4000):
        for depth in (20, 56):
            name = f"r{depth}-{iterations}"
            runs[name] = read(a_run(tmp_path / f"{name}.h5", depth=depth, iterations=iterations))
    # Within each length the deeper net has the smaller responses; the short shallow one beside the long deep one has not.
    _, deeper = judged({"r20-64000": 0.9, "r20-4000": 0.4, "r56-64000": 0.5, "r56-4000": 0.3}, runs)
    assert deeper.answer == "yes"
    assert deeper.numbers == (
        "median std: ResNet-20 0.900, ResNet-56 0.500 (n = 1)",
        "median std: ResNet-20 0.400, ResNet-56 0.300 (n = 1)",
    )
    assert deeper.caveats == ("iterations 4,000 (paper: 64,000)",)


def test_neither_are_runs_of_another_precision_or_shortcut(tmp_path: Path) -> None:
    runs = {
        "plain": read(a_run(tmp_path / "plain.h5", plain=True, precision="bf16")),
        "residual": read(a_run(tmp_path / "residual.h5")),
        "b": read(a_run(tmp_path / "b.h5", depth=56, shortcut="B")),
    }
    beside_plain, depth = judged({"plain": 0.9, "residual": 0.5, "b": 0.4}, runs)
    assert (beside_plain.answer, depth.answer) == ("cannot tell", "cannot tell")
    assert beside_plain.numbers == depth.numbers == ()
    runs["plain"] = read(a_run(tmp_path / "plain32.h5", plain=True))
    assert judged({"plain": 0.9, "residual": 0.5}, runs)[0].answer == "yes"


def test_weights_that_are_no_run_are_compared_with_their_like(tmp_path: Path) -> None:
    runs = {f"r{depth}": read(a_run(tmp_path / f"r{depth}.h5", depth=depth)) for depth in (20, 56)}
    found = [responses(runs["r20"], 0.9), responses(runs["r56"], 0.5)]
    assert layer_claims(found, ())[1].answer == "yes"
    assert layer_claims(found, (), [runs["r20"]])[1].answer == "cannot tell", "one is a run, of the other nobody knows"


def test_vgg_nets_are_neither_plain_nor_residual(tmp_path: Path) -> None:
    runs = {name: read(an_imagenet_run(tmp_path / f"{name}.h5", model=name)) for name in ("vgg16", "vgg19", "plain18")}
    verdicts = judged({"vgg16": 0.9, "vgg19": 0.5, "plain18": 0.7}, runs)
    assert [one.answer for one in verdicts] == ["cannot tell", "cannot tell"]


def test_seeds_are_averaged_and_their_order_says_nothing(tmp_path: Path) -> None:
    runs = {
        "r56": read(a_run(tmp_path / "r56.h5", depth=56)),
        "p56": read(a_run(tmp_path / "p56.h5", depth=56, plain=True)),
        **{f"r20-{seed}": read(a_run(tmp_path / f"r20-{seed}.h5", seed=seed)) for seed in (0, 1)},
    }
    medians = {"r20-0": 0.8, "r20-1": 1.0, "r56": 0.85, "p56": 2.0}
    for order in (list(medians), list(reversed(medians))):
        beside_plain, deeper = judged({name: medians[name] for name in order}, runs)
        assert deeper.answer == "yes"
        assert deeper.numbers == ("median std: ResNet-20 0.900, ResNet-56 0.850 (n = 2 and 1)",)
        assert beside_plain.numbers == ("median std: plain-56 2.000, ResNet-56 0.850 (n = 1)",)


def test_nets_are_as_deep_as_they_are_called(tmp_path: Path) -> None:
    """ResNet-50 has as many 3x3 layers as ResNet-18, which is half of ResNet-34's."""
    models = ("resnet34-b", "resnet50", "resnet101", "plain18", "resnet18")
    runs = {name: read(an_imagenet_run(tmp_path / f"{name}.h5", model=name)) for name in models}
    beside_plain, deeper = judged({"resnet34-b": 0.8, "resnet50": 0.5, "resnet101": 0.4, "plain18": 1.0}, runs)
    assert (beside_plain.answer, deeper.answer) == ("cannot tell", "yes")
    assert deeper.numbers == (
        "median std: ResNet-34 (B) 0.800, ResNet-50 0.500 (n = 1)",
        "median std: ResNet-50 0.500, ResNet-101 0.400 (n = 1)",
    )
    assert judged({"plain18": 1.0, "resnet18": 0.9}, runs)[0].answer == "yes"
